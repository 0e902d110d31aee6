import Foundation
import SystemSupport
import TestSupport

/// A store for objects over HTTP, which takes its time.
final class ObjectServer {
  let url: String
  private let sandbox: Sandbox

  /// - Parameters:
  ///   - delay: seconds before each answer.
  ///   - together: how many reads must have been under way at the same time before an object of a compiler is answered.
  init(delay: Double, together: Int = 1) throws {
    sandbox = try Sandbox()
    try sandbox.write(Self.program, to: "store.py")
    try sandbox.run("python3 store.py \(delay) \(together) > /dev/null 2> errors & echo $! > process")
    let sandbox = sandbox
    try eventually("the store listens") { FileManager.default.fileExists(atPath: "\(sandbox.path)/work/port") }
    url = "http://127.0.0.1:\(try sandbox.run("cat port").output)/cache"
  }

  deinit { _ = try? sandbox.run("kill $(cat process)") }

  /// `METHOD path` of each, in the order in which they came.
  func requests() throws -> [String] {
    try sandbox.run("cut -d' ' -f 2- requests 2> /dev/null").output.split(separator: "\n").map(String.init)
  }

  /// How many reads were under way together.
  func mostAtOnce() throws -> Int {
    let counts = try sandbox.run("grep GET requests | cut -d' ' -f 1").output.split(separator: "\n")
    return counts.compactMap { Int($0) }.max() ?? 0
  }

  private static let program = """
    import http.server, os, sys, threading, time

    objects, lock, reading = {}, threading.Condition(), 0
    most = 0

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, status, body=b""):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def note(self):
            with open("requests", "a") as file:
                file.write(f"{reading} {self.command} {self.path}\\n")

        def do_GET(self):
            global reading, most
            with lock:
                reading += 1
                most = max(most, reading)
                self.note()
                lock.notify_all()
                if "/swift-cas/" in self.path:
                    lock.wait_for(lambda: most >= int(sys.argv[2]), 30)
            time.sleep(float(sys.argv[1]))
            with lock:
                reading -= 1
                body = objects.get(self.path)
            self.answer(404 if body is None else 200, body or b"")

        do_HEAD = do_GET

        def do_PUT(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                objects[self.path] = body
                self.note()
            self.answer(201)

        def log_message(self, *arguments):
            pass

    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 256

    server = Server(("127.0.0.1", 0), Handler)
    with open("port.new", "w") as file:
        file.write(str(server.server_port))
    os.rename("port.new", "port")
    server.serve_forever()

    """
}
