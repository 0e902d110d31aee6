import Glibc
import SystemSupport
import TestSupport

/// A pseudo-terminal with an interactive bash on it, as a person would use it.
final class Terminal {
  /// `TIOCSPTLCK` and `TIOCGPTN` (ioctl_tty(2)); Swift's Glibc module has neither these nor `posix_openpt`.
  private static let setLock: UInt = 0x4004_5431
  private static let getNumber: UInt = 0x8004_5430

  private let master: CInt
  private let shell: ChildProcess
  private let sandbox: Sandbox
  private var unread = ""
  private(set) var transcript = ""

  init(sandbox: Sandbox) throws {
    self.sandbox = sandbox
    master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
    var isLocked: CInt = 0
    var number: CInt = 0
    guard master >= 0, ioctl(master, Self.setLock, &isLocked) == 0, ioctl(master, Self.getNumber, &number) == 0 else {
      throw Unexpected("no pseudo-terminal: \(String(cString: strerror(errno)))")
    }
    var environment = sandbox.environment
    environment["PS1"] = "ready> "
    environment["TERM"] = "dumb"
    environment["BASH_SILENCE_DEPRECATION_WARNING"] = "1"
    shell = try ChildProcess(
      ["bash", "--norc", "--noprofile", "--noediting", "-i"], environment: environment, directory: sandbox.path,
      streams: .terminal("/dev/pts/\(number)"))
    try expect("ready> ")
  }

  deinit {
    // As when a window is closed: the kernel hangs up on the session. A shell that does not care is ended.
    close(master)
    shell.send(signal: SIGKILL)
    shell.wait()
  }

  /// Closes the terminal's window: the kernel hangs up when the last descriptor of the master is gone.
  func hangUp() {
    let null = open("/dev/null", O_RDWR | O_CLOEXEC)
    dup2(null, master)
    close(null)
  }

  /// Types.
  func send(_ text: String) {
    let bytes = Array(text.utf8)
    _ = bytes.withUnsafeBytes { write(master, $0.baseAddress, $0.count) }
  }

  /// Types a line.
  func enter(_ line: String) {
    send(line + "\n")
  }

  /// Waits until the text has been printed, and returns what came before it. What was returned is not looked at again.
  @discardableResult
  func expect(_ text: String, within seconds: Int = 60) throws -> String {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while true {
      if let range = unread.firstRange(of: text) {
        let before = String(unread[..<range.lowerBound])
        unread = String(unread[range.upperBound...])
        return before
      }
      let left = deadline - .now
      var request = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
      guard left > .zero, poll(&request, 1, CInt(left.components.seconds * 1000 + 1)) > 0 else {
        throw Unexpected("waited for \"\(text)\"; the terminal shows:\n\(transcript)")
      }
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = read(master, &buffer, buffer.count)
      guard count > 0 else { throw Unexpected("waited for \"\(text)\"; the terminal ended after:\n\(transcript)") }
      let piece = String(decoding: buffer[..<count], as: UTF8.self)
      unread += piece
      transcript += piece
    }
  }

  /// Runs a line and returns what `$?` is afterwards.
  func status(afterLine line: String? = nil) throws -> String {
    if let line { enter(line) }
    // The marks differ from what is typed, so that the echo is not taken for the answer.
    enter(#"echo "<""status=$?"">""#)
    try expect("<status=")
    return try expect(">")
  }

  func resize(rows: UInt16, columns: UInt16) {
    var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    _ = ioctl(master, UInt(TIOCSWINSZ), &size)
  }
}
