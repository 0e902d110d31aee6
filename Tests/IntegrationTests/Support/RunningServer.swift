import Foundation
import SystemSupport
import TestSupport

/// A server that stays for the length of a test.
struct RunningServer {
  let sandbox: Sandbox
  let port: UInt16
  let token: String
  let crshSocket: String
  let compilerSocket: String
  let process: pid_t

  init(_ given: Sandbox? = nil) throws {
    let sandbox = try given ?? Sandbox()
    self.sandbox = sandbox
    try sandbox.run("fabrik exec --linger 300s -- true")
    process = try sandbox.awaitServers()[0]
    let directory = try sandbox.run("dirname $(find $XDG_RUNTIME_DIR -name http)").output.dropLast()
    let endpoint = try sandbox.run("cat \(directory)/http").output.split { $0 == " " || $0 == "\n" }
    guard endpoint.count == 2, let port = UInt16(endpoint[0]) else { throw Unexpected("no endpoint") }
    self.port = port
    token = String(endpoint[1])
    crshSocket = "\(directory)/crsh.sock"
    compilerSocket = "\(directory)/cas.sock"
  }

  /// The path of an object whose key ends with this number.
  static func path(_ number: Int) -> String {
    let digits = String(number, radix: 16)
    let key = String(repeating: "0", count: 40 - digits.count) + digits
    return "/ccache/ac/\(key)\(key.prefix(24))"
  }

  /// A request's head. Headers given replace the ones of the same name.
  func head(_ method: String, _ path: String, _ headers: [String: String] = [:]) -> String {
    var all = ["Host": "127.0.0.1:\(port)", "Authorization": "Bearer \(token)"]
    all.merge(headers) { $1 }
    return "\(method) \(path) HTTP/1.1\r\n" + all.map { "\($0): \($1)\r\n" }.joined() + "\r\n"
  }
}
