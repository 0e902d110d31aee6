import ControlProtocol
import Testing

@Suite("What a server says of itself")
struct ServerStatusTests {
  private func sent(_ message: ControlMessage) throws -> ControlMessage {
    try #require(ControlMessage(line: message.encoded.dropLast()))
  }

  @Test("arrives as it was sent")
  func status() throws {
    var status = ServerStatus(version: "1.2", process: 42, uptimeMilliseconds: 7, isDaemon: true, leases: 3)
    #expect(try ServerStatus(fields: sent(.init(ControlMessage.status, status.fields)).fields) == status)
    status.peers = PeerStatus()
    #expect(try ServerStatus(fields: sent(.init(ControlMessage.status, status.fields)).fields) == status)
    status.peers = PeerStatus(
      identifier: "0123456789abcdef0123456789abcdef", port: 4711, discovery: "Avahi, and an own responder",
      entries: 2,
      problem: "the port is taken: 4711")
    #expect(try ServerStatus(fields: sent(.init(ControlMessage.status, status.fields)).fields) == status)
  }

  @Test("is nothing where it is absent or malformed")
  func malformed() {
    let none = ServerStatus(version: "", process: 0, uptimeMilliseconds: 0, isDaemon: false, leases: 0)
    #expect(ServerStatus(fields: [:]) == none)
    #expect(ServerStatus(fields: ["pid": "x", "uptime": "-", "daemon": "yes", "leases": "", "port": "1"]) == none)
  }

  @Test("and of its peers, arrives as it was sent")
  func peers() throws {
    var report = PeerReport(identifier: "5f", name: "Büro 2 ", address: "[fe80::1%eth0]:1")
    #expect(try PeerReport(message: sent(report.message)) == report)
    report.isConnected = false
    report.latencyMicroseconds = 310
    report.entries = 5
    (report.fetchedHits, report.fetchedBytes, report.servedHits, report.servedBytes) = (1, .max, 3, 4)
    report.answer = "denied"
    #expect(try PeerReport(message: sent(report.message)) == report)
    #expect(PeerReport(message: ControlMessage(ControlMessage.end)) == nil)
    #expect(PeerReport(message: ControlMessage(ControlMessage.peer)) == nil)
  }
}
