package import SystemSupport

/// This machine's own addresses.
package enum LocalAddresses {
  /// Those of the interfaces of these names that are up.
  package static func of(interfaces names: [String]) -> Set<InternetAddress> {
    Set(NetworkInterface.current(named: names).flatMap(\.addresses))
  }
}
