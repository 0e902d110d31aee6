import ControlProtocol
import Foundation
import FrontEnds
import Testing

@Suite("Who is let in over the loopback interface")
struct LoopbackGuardTests {
  private static let token = "0123456789abcdef0123456789abcdef"
  private static let guardian = LoopbackGuard(endpoint: HTTPEndpoint(port: 4711, token: token))
  private static let host = ("host", "127.0.0.1:4711")
  private static let authorization = ("authorization", "Bearer \(token)")

  private func judge(_ headers: [(String, String)]) -> LoopbackGuard.Verdict {
    var inspection = Self.guardian.inspect()
    for (name, value) in headers { inspection.see(name: name, value: value) }
    return inspection.verdict
  }

  @Test("the token and the right host are enough", arguments: ["127.0.0.1:4711", "localhost:4711", "LocalHost:4711"])
  func admitted(host: String) {
    #expect(judge([("host", host), Self.authorization]) == .admitted(lease: nil))
  }

  @Test(
    "what follows the token names the lease", arguments: ["abc", "", "a.b", "ä", String(repeating: "x", count: 999)])
  func lease(name: String) {
    #expect(
      judge([Self.host, ("authorization", "Bearer \(Self.token).\(name)")]) == .admitted(lease: name))
    let endpoint = HTTPEndpoint(port: 4711, token: Self.token)
    #expect(
      judge([Self.host, ("authorization", "bearer \(endpoint.bearer(lease: name))")]) == .admitted(lease: name))
  }

  @Test(
    "the token may be the password of anybody",
    arguments: [("user:\(token)", nil), (":\(token)", nil), ("fabrik:\(token).abc", "abc")] as [(String, String?)])
  func basic(pair: String, lease: String?) {
    let text = Data(pair.utf8).base64EncodedString()
    #expect(judge([Self.host, ("authorization", "Basic \(text)")]) == .admitted(lease: lease))
    #expect(judge([Self.host, ("authorization", "basic \(text)")]) == .admitted(lease: lease))
  }

  @Test(
    "a password that is not the token is refused",
    arguments: ["user:", "user:wrong", token, "\(token):", "a:b:\(token)", "user:\(token)0", ""])
  func wrongBasic(pair: String) {
    let text = Data(pair.utf8).base64EncodedString()
    #expect(judge([Self.host, ("authorization", "Basic \(text)")]) == .refused)
  }

  @Test(
    "another host is refused: a name that was made to lead here, another port, none, two",
    arguments: [
      [], ["evil.example:4711"], ["127.0.0.1"], ["127.0.0.1:80"], ["127.0.0.1:47110"], ["[::1]:4711"], [""],
      [" 127.0.0.1:4711"], ["127.0.0.1:4711", "127.0.0.1:4711"], ["127.0.0.1:4711", "evil.example"],
      ["127.0.0.1:4711, evil.example"], ["localhost.:4711"],
    ])
  func hosts(hosts: [String]) {
    #expect(judge(hosts.map { ("host", $0) } + [Self.authorization]) == .refused)
  }

  @Test("whatever a browser sends for a page is refused", arguments: ["null", "http://127.0.0.1:4711", ""])
  func origin(origin: String) {
    #expect(judge([Self.host, Self.authorization, ("origin", origin)]) == .refused)
  }

  @Test(
    "a missing, wrong or ambiguous token is refused",
    arguments: [
      [], [""], ["Bearer"], ["Bearer "], [token], ["Basic \(token)"], ["Bearer \(token.uppercased())"],
      ["Bearer \(token)0"], ["Bearer \(token.dropLast())"], ["Bearer  \(token)"], ["Bearer \(token) "],
      ["Bearer 0\(token.dropFirst().dropLast())0"], ["Bearer .\(token)"], ["Bearer \(token)\0"],
      ["Bearer \(token)", "Bearer \(token)"], ["Bearer \(token)", "Bearer wrong"], ["Bearer\t\(token)"],
    ])
  func tokens(values: [String]) {
    #expect(judge([Self.host] + values.map { ("authorization", $0) }) == .refused)
  }
}
