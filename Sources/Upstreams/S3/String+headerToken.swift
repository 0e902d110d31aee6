extension String {
  /// Whether all is printable ASCII without blanks, as it must be to stand in a header.
  var isHeaderToken: Bool { utf8.allSatisfy { (0x21...0x7e).contains($0) } }
}
