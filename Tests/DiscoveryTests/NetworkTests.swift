import Testing

/// Real packets between real processes, in networks that exist for one test only.
@Suite("On a network", .enabled(if: NetworkNamespace.isAllowed, "network namespaces are not allowed here"), .serialized)
struct NetworkTests {
  @Test("of one host, two processes find each other by the loopback")
  func loopback() throws {
    let events = try NetworkNamespace.events(
      """
      ip link set lo up
      publish a
      "$probe" -n 1 browse 50
      """)
    #expect(events == ["found a 4711 127.0.0.1,::1 id=a team=t"])
  }

  @Test("without any interface nothing is found, and what comes up later is used")
  func nothing() throws {
    let events = try NetworkNamespace.events(
      """
      publish a
      "$probe" -n 1 browse 50 | while read -r line; do
        echo "$line"
        case $line in *browsing) ip link set lo up;; esac
      done
      """)
    #expect(events == ["found a 4711 127.0.0.1,::1 id=a team=t"])
  }

  @Test("of two hosts, services are found by both, and lost after their goodbye")
  func cable() throws {
    let events = try NetworkNamespace.events(
      """
      connect
      ip address add 10.77.0.1/24 dev here
      remote ip address add 10.77.0.2/24 dev there
      publish a
      publish remote b
      remote "$probe" -w id=a -n 1 browse 50
      "$probe" -w id=b -n 2 browse 50 | while read -r line; do
        echo "$line"
        case $line in *found*) unpublish b;; esac
      done
      """)
    #expect(
      events == [
        "found a 4711 10.77.0.1,fe80::fa:b0ff:fe00:1%there id=a team=t",
        "found b 4711 10.77.0.2,fe80::fa:b0ff:fe00:2%here id=b team=t", "lost b",
      ])
  }

  @Test("without IPv4, IPv6 is enough")
  func ipv6() throws {
    let events = try NetworkNamespace.events(
      """
      connect
      publish remote b
      "$probe" -n 1 browse 50
      """)
    #expect(events == ["found b 4711 fe80::fa:b0ff:fe00:2%here id=b team=t"])
  }

  @Test("an unplugged cable loses services at once, and they are found when it is back")
  func unplugged() throws {
    let events = try NetworkNamespace.events(
      """
      connect
      publish remote b
      "$probe" -n 3 browse 50 | while read -r line; do
        echo "$line"
        case $line in
          *found*) remote ip link set there down;;
          *lost*) remote ip link set there up;;
        esac
      done
      """)
    let found = "found b 4711 fe80::fa:b0ff:fe00:2%here id=b team=t"
    #expect(events == [found, "lost b", found])
  }

  @Test("an interface that is not named is left alone")
  func named() throws {
    let events = try NetworkNamespace.events(
      """
      connect
      ip link set lo up
      publish a
      publish remote b
      "$probe" -i lo -n 2 browse 10
      """)
    #expect(events.allSatisfy { $0.hasPrefix("found a 4711 127.0.0.1") } && !events.isEmpty)
  }
}
