import CacheStore
import Foundation
import Glibc
import SystemSupport
import TestSupport
import Testing

/// What the compilers' plugin is answered.
@Suite(.timeLimit(.minutes(5)))
struct CompilerCacheTests {
  private let value = CompilerSamples.object(Array("value".utf8))
  private let large = CompilerSamples.object(size: 700_000)
  private let small = CompilerSamples.object(size: 4097)

  private var objects: [[UInt8]] { [value, large, small] }
  private var action: [UInt8] { CompilerSamples.action(objects) }

  private func content(_ path: String) throws -> [UInt8] {
    try Array(Data(contentsOf: URL(fileURLWithPath: path)))
  }

  private func inode(_ path: String) throws -> UInt64 {
    var status = stat()
    guard stat(path, &status) == 0 else { throw Unexpected("\(path): \(errno)") }
    return UInt64(status.st_ino)
  }

  /// The counts of a build in which `body` runs.
  private func report(_ sandbox: Sandbox, _ flags: String = "", during body: () throws -> Void) throws
    -> [String: Double]
  {
    try sandbox.run(
      """
      rm -f begun over report
      (fabrik exec --stats json \(flags) -- sh -c 'touch begun; while ! [ -e over ]; do sleep 0.01; done' 2> errors
       mv errors report) > /dev/null 2>&1 &
      while ! [ -e begun ]; do sleep 0.01; done
      """)
    defer { _ = try? sandbox.run("touch over") }
    try body()
    let outcome = try sandbox.run("touch over; while ! [ -e report ]; do sleep 0.01; done; cat report >&2")
    return try IntegrationTests.report(outcome)
  }

  @Test func `what one compiler has made another one is given, with all that belongs to it`() throws {
    let server = try RunningServer()
    let maker = try CompilerClient(server, in: CompilerDirectory(server.sandbox))
    #expect(try maker.get(1) == .miss)
    #expect(maker.signs == 0)
    for object in objects { try maker.directory.write(object) }
    try maker.put(1, action)
    let user = try CompilerClient(server, in: CompilerDirectory(server.sandbox))
    var answer = CompilerClient.Answer.miss
    try eventually("the result is there") {
      answer = try user.get(1)
      return answer != .miss
    }
    guard case .hit(let body, let paths) = answer else { throw Unexpected("\(answer)") }
    #expect(body == action && user.signs == 0)
    #expect(try paths.map(content) == [large, small])
    // They are the same files as the maker's.
    for (path, object) in zip(paths, [large, small]) {
      #expect(path.hasPrefix("\(server.sandbox.path)/home/.cache/fabrik/v1/blobs/"))
      #expect(try inode(path) == inode(maker.directory.file(of: object)))
    }
    #expect(try user.object(SHA256Digest.digest(of: large)) == .object(path: paths[0]))
    #expect(try user.object(SHA256Digest.digest(of: value)) == .miss)
    #expect(try server.sandbox.entries == 3)
  }

  @Test func `what a compiler puts is stored when it has gone, too`() throws {
    let server = try RunningServer()
    let directory = try CompilerDirectory(server.sandbox)
    for number in 1...20 {
      let maker = try CompilerClient(server, in: directory)
      let object = CompilerSamples.object(size: 300_000, UInt8(number))
      try directory.write(object)
      try maker.put(number, CompilerSamples.action([object]))
    }
    let user = try CompilerClient(server, in: directory)
    for number in 1...20 { try eventually("result \(number) is there") { try user.get(number) != .miss } }
  }

  @Test func `files that were handed out stay until the compiler has gone`() throws {
    let server = try RunningServer()
    let object = CompilerSamples.object(size: 1_500_000)
    var user: CompilerClient? = try CompilerClient(server, in: CompilerDirectory(server.sandbox))
    try user?.store(1, [object])
    guard case .hit(_, let paths)? = try user?.get(1) else { throw Unexpected("no hit") }
    let collect = "FABRIK_MAX_SIZE=1MB fabrik cache gc"
    #expect(try server.sandbox.run(collect).errors == "")
    #expect(try paths.map(content) == [object])
    user = nil
    try eventually("the file can be evicted") {
      try server.sandbox.run(collect)
      return !FileManager.default.fileExists(atPath: paths[0])
    }
  }

  @Test func `a result is a miss when one of its objects is gone, until that is there again`() throws {
    let server = try RunningServer()
    let user = try CompilerClient(server, in: CompilerDirectory(server.sandbox))
    try user.store(1, objects)
    try user.store(2, [large])
    try server.sandbox.run("rm $HOME/.cache/fabrik/v1/blobs/*/\(SHA256Digest.digest(of: small))")
    #expect(try user.get(1) == .miss)
    #expect(try user.get(2) != .miss)
    try user.store(3, [small])
    #expect(try user.get(1) != .miss)
  }

  @Test func `a result is a miss when one of its objects is damaged, which is removed`() throws {
    let sandbox = try Sandbox()
    let directory = try CompilerDirectory(sandbox)
    let blob = "$HOME/.cache/fabrik/v1/blobs/*/\(SHA256Digest.digest(of: large))"
    do {
      let server = try RunningServer(sandbox)
      try CompilerClient(server, in: directory).store(1, objects)
      try sandbox.run("chmod 600 \(blob); printf x | dd of=$(echo \(blob)) bs=1 seek=500000 conv=notrunc status=none")
    }
    try sandbox.endServers()
    let user = try CompilerClient(RunningServer(sandbox), in: directory)
    #expect(try user.get(1) == .miss)
    #expect(try sandbox.run("ls \(blob)").output.isEmpty)
    #expect(try sandbox.run("fabrik cache stats --json").output.contains("\"damaged\":1}"))
    #expect(try user.get(1) == .miss)
    // Its own file has been damaged with it.
    try user.store(1, objects)
    #expect(try user.get(1) != .miss)
  }

  @Test func `what is not the result of an action is not stored`() throws {
    let server = try RunningServer()
    let user = try CompilerClient(server, in: CompilerDirectory(server.sandbox))
    for object in objects { try user.directory.write(object) }
    let other = CompilerSamples.object(Array("other".utf8))
    let wrong: [[UInt8]] = [
      [], Array("FACT".utf8), Array(action.dropLast()), action + [0],
      // Sizes that are not true; a body that is another's.
      CompilerSamples.action([value], sizes: [23]), CompilerSamples.action(objects, sizes: [22, 700_001, 4097]),
      CompilerSamples.action(objects, sizes: [22, 700_000, 4098]),
      CompilerSamples.action(objects, sizes: [22, .max, 1]),
      CompilerSamples.action([value], bodies: other),
      // An object that is not there.
      CompilerSamples.action([value, CompilerSamples.object(size: 5000)]),
    ]
    for (number, action) in wrong.enumerated() {
      try user.put(number, action)
      try user.expectNotStored(number)
    }
    #expect(try server.sandbox.run("find $HOME/.cache/fabrik/v1/tmp -type f").output.isEmpty)
  }

  @Test func `files that are not the objects they are named after are refused`() throws {
    let server = try RunningServer()
    let user = try CompilerClient(server, in: CompilerDirectory(server.sandbox))
    let (first, second) = (CompilerSamples.object(size: 5000, 1), CompilerSamples.object(size: 5000, 2))
    // Another object of the same size; no object; too short; too long.
    let noObject = [UInt8](repeating: 0, count: 5000)
    let contents = [second, noObject, Array(first.dropLast()), first + [0], []]
    for (number, content) in contents.enumerated() {
      try user.directory.write(first, content: content)
      try user.put(number, CompilerSamples.action([first]))
      try user.expectNotStored(number)
    }
    // Nor are those that are no objects, though they are named after themselves.
    try user.directory.write(noObject)
    try user.put(9, CompilerSamples.action([noObject]))
    try user.expectNotStored(9)
  }

  @Test(arguments: ["file", "shard", "objects"])
  func `no link leads out of the working directory`(link: String) throws {
    let server = try RunningServer()
    let user = try CompilerClient(server, in: CompilerDirectory(server.sandbox))
    let elsewhere = try CompilerDirectory(server.sandbox)
    try elsewhere.write(large)
    let (from, to) = (user.directory.file(of: large), elsewhere.file(of: large))
    let script =
      switch link {
      case "file": "mkdir -p $(dirname \(from)) && ln -s \(to) \(from)"
      case "shard": "ln -s $(dirname \(to)) \(user.directory.path)/objects/"
      default: "rmdir \(user.directory.path)/objects && ln -s \(elsewhere.path)/objects \(user.directory.path)/"
      }
    try server.sandbox.run(script)
    #expect(try content(from) == large)
    try user.put(1, CompilerSamples.action([large]))
    // It has nowhere else to keep an object of its own, which is small.
    try user.expectNotStored(1)
    #expect(try server.sandbox.entries == 1)
  }

  @Test(.enabled(if: access("/dev/shm", W_OK) == 0))
  func `objects on another file system are copied`() throws {
    let server = try RunningServer()
    let elsewhere = "/dev/shm/fabrik-test.\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: elsewhere) }
    let user = try CompilerClient(server, in: CompilerDirectory(at: elsewhere))
    try user.store(1, objects)
    guard case .hit(_, let paths) = try user.get(1) else { throw Unexpected("no hit") }
    #expect(try paths.map(content) == [large, small])
    try FileManager.default.removeItem(atPath: elsewhere)
    #expect(try user.get(1) != .miss)
  }

  @Test func `noise ends the connection and not the server`() throws {
    let server = try RunningServer()
    var generator = SeededGenerator(seed: 1)
    for kind: UInt8 in 0...8 {
      let user = try CompilerClient(server, in: CompilerDirectory(server.sandbox))
      try user.send(kind, generator.bytes(20))
      #expect(try user.receiveAll() == [])
    }
    let stranger = try Connection(path: server.compilerSocket)
    try stranger.send([33, 0, 0, 0, 2] + CompilerClient.key(1))
    #expect(try stranger.receiveAll() == [])
    let endless = try Connection(path: server.compilerSocket)
    try endless.send([1, 0, 0, 4])
    #expect(try endless.receiveAll() == [])
    #expect(try CompilerClient(server, in: CompilerDirectory(server.sandbox)).get(1) == .miss)
  }

  @Test func `a build's hits are counted with all that belongs to them, and misses when they have been built`() throws {
    let server = try RunningServer()
    let sandbox = server.sandbox
    let directory = try CompilerDirectory(sandbox)
    var counts = try report(sandbox) {
      let user = try CompilerClient(server, in: directory)
      // Nobody stores what a scanner asks for.
      for number in 100..<150 { #expect(try user.get(number) == .miss) }
      for number in 1...2 { #expect(try user.get(number) == .miss) }
      for object in objects { try directory.write(object) }
      try user.put(1, action)
      try user.put(2, CompilerSamples.action([value]))
    }
    #expect(counts["misses"] == 2 && counts["lookups"] == 2 && counts["hits.local"] == 0, "\(counts)")
    // Two objects, and two results.
    #expect(counts["stored"] == 4)
    let bytes = Double(action.count + large.count + small.count)
    counts = try report(sandbox) {
      let user = try CompilerClient(server, in: directory)
      #expect(try user.get(1) != .miss)
      #expect(try user.get(50) == .miss)
      // It found one itself; the other was not meant for the store.
      try user.used(1, bytes: 1000)
      try user.used(51, bytes: 1000)
      #expect(try user.get(2) != .miss)
    }
    // However often a key is asked for.
    #expect(counts["lookups"] == 2 && counts["hits.local"] == 2 && counts["misses"] == 0, "\(counts)")
    #expect(counts["bytes.local"] == bytes + Double(CompilerSamples.action([value]).count))
    let why = try sandbox.run("fabrik why --build 2").output
    #expect(why.contains("2 lookups, 0 hits, 2 misses") && why.contains("swift-ac/"), "\(why)")
    let key = "swift-ac/" + Hex.encode(CompilerClient.key(1))
    #expect(try sandbox.run("fabrik why \(key)").output.contains("the build has made and stored it"))
  }

  /// The plan is that of a build that has made the result, or of one that has used it.
  @Test(arguments: ["owner", "asker"])
  func `a peer's results come with their objects, also ahead`(planner: String) throws {
    let secret = PeerMachine.makeSecret()
    func machine(_ name: String, _ peers: PeerMachine...) throws -> PeerMachine {
      let sandbox = try Sandbox()
      sandbox.environment["FABRIK_PREFETCH"] = "\(name == planner || name == "third")"
      return try PeerMachine(secret: secret, peers: peers.map { try $0.port }, name: name, sandbox: sandbox)
    }
    let owner = try machine("owner")
    var counts = try report(owner.sandbox) {
      let maker = try CompilerClient(owner.server, in: CompilerDirectory(owner.sandbox))
      for object in objects { try maker.directory.write(object) }
      try maker.put(1, action)
      try eventually("the result is stored") { try owner.sandbox.entries == 3 }
    }
    let asker = try machine("asker", owner)
    counts = try report(asker.sandbox) {
      let user = try CompilerClient(asker.server, in: CompilerDirectory(asker.sandbox))
      try eventually("the peer gives it") { try user.get(1) != .miss }
      #expect(try user.get(2) == .miss)
    }
    let bytes = Double(action.count + large.count + small.count)
    #expect(counts["hits.peers"] == 1 && counts["bytes.peers"] == bytes, "\(counts)")
    let third = try machine("third", owner, asker)
    counts = try report(third.sandbox) {
      // With the plan.
      try eventually("it has come ahead") { try third.sandbox.entries == 4 }
      let user = try CompilerClient(third.server, in: CompilerDirectory(third.sandbox))
      #expect(try user.get(1) != .miss)
      #expect(user.signs == 0)
    }
    #expect(counts["prefetched.entries"] == 3 && counts["prefetched.used"] == 3, "\(counts)")
    #expect(counts["hits.peers"] == 1 && counts["bytes.peers"] == bytes, "\(counts)")
    for machine in [owner, asker, third] { try machine.expectSound() }
  }

  @Test func `a regional store's results come in two rounds, with a sign of life before`() throws {
    let upstream = try ObjectServer(delay: 0.2, together: 20)
    let owner = try Sandbox()
    owner.environment["FABRIK_UPSTREAM"] = upstream.url
    let many = (0..<20).map { CompilerSamples.object(size: 5000, UInt8($0)) }
    do {
      let server = try RunningServer(owner)
      try CompilerClient(server, in: CompilerDirectory(owner)).store(1, many)
      try eventually("all is uploaded") { try upstream.requests().count { $0.hasPrefix("PUT") } >= 21 }
    }
    let asker = try Sandbox()
    asker.environment["FABRIK_UPSTREAM"] = upstream.url
    let server = try RunningServer(asker)
    let counts = try report(asker) {
      let user = try CompilerClient(server, in: CompilerDirectory(asker))
      guard case .hit(_, let paths) = try user.get(1) else { throw Unexpected("no hit") }
      #expect(try paths.map(content) == many)
      #expect(user.signs >= 1)
      #expect(try user.get(1) != .miss)
      #expect(user.signs == 0)
    }
    #expect(counts["hits.regional"] == 1 && counts["hits.local"] == 0 && counts["misses"] == 0, "\(counts)")
    // All objects were asked for at the same time.
    #expect(try upstream.mostAtOnce() >= 20)
  }

  @Test func `a store that does not answer is waited for with signs of life, and then it is a miss`() throws {
    let upstream = try ObjectServer(delay: 3)
    let sandbox = try Sandbox()
    sandbox.environment["FABRIK_UPSTREAM"] = upstream.url
    let server = try RunningServer(sandbox)
    let user = try CompilerClient(server, in: CompilerDirectory(sandbox))
    #expect(try user.get(1) == .miss)
    #expect(user.signs >= 1)
    // And the connection is as good as before.
    try user.store(2, objects)
  }

  // MARK: - Working directories

  private func place(_ sandbox: Sandbox) throws -> String {
    let boot = try String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
    return "\(sandbox.path)/home/.cache/fabrik/compilers/\(boot.filter { $0 != "-" }.prefix(16))"
  }

  @Test func `what earlier boots have left is removed`() throws {
    let sandbox = try Sandbox()
    let current = try place(sandbox)
    try sandbox.run(
      """
      cd $HOME; mkdir -p \(current)/objects/ab; touch \(current)/objects/ab/cd; cd .cache/fabrik/compilers
      mkdir -p 0123456789abcdef/objects/ab removed.1/tmp notes; touch 0123456789abcdef/objects/ab/cd removed.1/tmp/x
      """)
    let server = try RunningServer(sandbox)
    try eventually("they are removed") {
      try sandbox.run("ls $HOME/.cache/fabrik/compilers | wc -l").output == "2\n"
    }
    #expect(
      try sandbox.run("find \(current) -name cd | wc -l; ls -d $HOME/.cache/fabrik/compilers/notes").exitStatus == 0)
    _ = server
  }

  @Test func `the working directory is kept within its limit, between builds`() throws {
    let sandbox = try Sandbox()
    sandbox.environment["FABRIK_MAX_SIZE"] = "5MB"
    let current = try place(sandbox)
    // 2 MB; the limit is a fifth of the store's.
    let fill = """
      mkdir -p \(current)/objects/ab; cd \(current)/objects/ab
      for i in $(seq 20); do head -c 100000 /dev/zero > $i; done
      """
    func isThere() -> Bool { FileManager.default.fileExists(atPath: current) }
    try sandbox.run(fill)
    let server = try RunningServer(sandbox)
    try eventually("the server tidies at its start") { !isThere() }
    #expect(try sandbox.run("fabrik cache stats --json").output.contains("\"compilers_bytes\":0"))
    _ = try report(sandbox) {
      let user = try CompilerClient(server, in: CompilerDirectory(sandbox))
      try sandbox.run(fill)
      #expect(try user.get(1) == .miss)
      try sandbox.run("fabrik cache clear")
      #expect(isThere())
    }
    try eventually("it is tidied when the build has ended") { !isThere() }
    try sandbox.run(fill)
    try sandbox.run("fabrik cache clear")
    #expect(!FileManager.default.fileExists(atPath: current))
  }
}
