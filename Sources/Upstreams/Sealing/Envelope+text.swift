extension Envelope.Flaw {
  /// What is said of the store that gave such an object.
  var explanation: String {
    switch self {
    case .foreign:
      "answers with something that is no entry of a cache: check the url, or whether a login page is in between"
    case .unsealed, .wrongSeal, .otherEntry:
      "holds entries that were not sealed with the team's secret: they are ignored; find out who can write there"
    case .wrongBody: "holds damaged entries: they are ignored"
    }
  }

  /// What is said of one such object.
  var remark: String {
    switch self {
    case .foreign: "no entry of a cache"
    case .unsealed: "not sealed with the team's secret"
    case .wrongSeal: "sealed with another secret"
    case .otherEntry: "the entry of another key"
    case .wrongBody: "damaged"
    }
  }
}
