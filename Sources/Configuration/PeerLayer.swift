package import ControlProtocol

/// The values of `[p2p]` that one source gives.
package struct PeerLayer: Sendable {
  package var isEnabled: Setting<Bool>?
  /// Of nil: there is to be none.
  package var secret: Setting<Secret?>?
  package var consent: Setting<ConsentMode>?
  package var addresses: Setting<[String]>?
  package var port: Setting<UInt16>?
  package var interfaces: Setting<[String]>?
  package var name: Setting<String>?

  package init() {}

  private static let mostAddresses = 64
  private static let mostInterfaces = 16
  /// As the kernel has it (IFNAMSIZ), without the NUL.
  private static let longestInterface = 15
  private static let longestName = 64

  /// Takes over one value given as text; lists have commas between their items. Throws what is wrong with it, without
  /// showing a secret.
  mutating func set(_ key: SettingKey, to text: String, from place: ConfigurationError.Place) throws(ConfigurationError)
  {
    func wrong(_ flaw: String? = nil) -> ConfigurationError {
      let shown = flaw ?? "takes \(key.expectation), not '\(text)'"
      return ConfigurationError(place, "\(key.rawValue) \(shown)")
    }
    switch key {
    case .peersEnabled:
      guard let value = Bool(setting: text) else { throw wrong() }
      isEnabled = Setting(value, from: place)
    case .peersSecret:
      // Of a variable that is not set, with an empty default: who lacks it takes no part.
      guard !text.isEmpty else {
        secret = Setting(nil, from: place)
        return
      }
      if let flaw = SecretStrength.flaw(in: text) {
        throw wrong("\(flaw); make a good one with: fabrik p2p secret")
      }
      secret = Setting(Secret(text), from: place)
    case .peersConsent:
      guard let mode = ConsentMode(rawValue: text) else { throw wrong() }
      consent = Setting(mode, from: place)
    case .peersAddresses:
      let items = Self.items(text)
      for item in items {
        if let flaw = PeerAddress.flaw(in: item) { throw wrong("takes \(key.expectation): '\(item)' \(flaw)") }
      }
      guard items.count <= Self.mostAddresses else { throw wrong("takes at most \(Self.mostAddresses) addresses") }
      addresses = Setting(items, from: place)
    case .peersPort:
      guard let number = UInt16(text) else { throw wrong() }
      port = Setting(number, from: place)
    case .peersInterfaces:
      let items = Self.items(text)
      for item in items where !Self.isInterface(item) { throw wrong("takes \(key.expectation), not '\(item)'") }
      guard items.count <= Self.mostInterfaces else { throw wrong("takes at most \(Self.mostInterfaces) names") }
      interfaces = Setting(items, from: place)
    case .peersName:
      let isPlain = text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f }
      guard !text.isEmpty, text.unicodeScalars.count <= Self.longestName, isPlain else { throw wrong() }
      name = Setting(text, from: place)
    case .cacheDirectory, .maxSize, .linger, .statistics, .statisticsFile, .tools, .prefetch, .absoluteCompilers,
      .mapsPaths:
      preconditionFailure("\(key.rawValue) is not of this table")
    }
  }

  private static func items(_ text: String) -> [String] {
    text.split(separator: ",").map { item in
      String(item.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
  }

  private static func isInterface(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= longestInterface
      && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") }
  }
}
