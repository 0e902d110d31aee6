import CExecPolicy
import Glibc
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import BuildLauncher

@Suite("Whether a program may have the library")
struct ExecPolicyTests {
  /// A dynamically linked program of this machine.
  private static let binary: FilePath = "/bin/sh"

  private func drivesBuilds(_ name: String, _ content: [UInt8]) throws -> Bool {
    try withTemporaryDirectory { directory in
      let file = directory.appending(name)
      try Files.write(content, to: file)
      return file.withPlatformString(fabrik_drives_builds)
    }
  }

  private func drivesBuilds(_ name: String, text: String) throws -> Bool {
    try drivesBuilds(name, Array(text.utf8))
  }

  @Test(
    "it drives builds",
    arguments: [
      "sh", "dash", "bash", "make", "gmake", "ninja", "samu", "cmake", "ctest", "env", "nice", "time", "xargs", "perl",
      "perl5.36.0", "python", "python3", "python3.11", "pypy3", "ksh93",
    ])
  func driver(name: String) throws {
    #expect(try drivesBuilds(name, Files.read(Self.binary)))
  }

  @Test(
    "what is built and tested is something else",
    arguments: [
      "ls", "a.out", "gcc", "ccache", "sudo", "make2", "makeinfo", "xmake", "python3-config", "pythonx", "python3x",
      "perl.", "sh.old", "Make", "node", "java", "valgrind", "strace", "bazel",
    ])
  func otherProgram(name: String) throws {
    #expect(try !drivesBuilds(name, Files.read(Self.binary)))
  }

  @Test(
    "a script counts as its interpreter",
    arguments: [
      ("#!/bin/sh\n", true), ("#! /bin/sh -e\n", true), ("#!/bin/sh", true), ("#!\t/bin/sh\t\n", true),
      ("#!/usr/bin/env python3\n", true), ("#!/usr/bin/env -S sh -e\nx", true), ("#!/bin/cat\n", false),
      ("#!/nonexistent/sh\n", false), ("#!sh\nx", true), ("#!\n", true), ("#!", true), ("", true), ("echo\n", true),
      ("#!/bin/" + String(repeating: "x", count: 2000), false),
    ] as [(String, Bool)])
  func script(text: String, expected: Bool) throws {
    #expect(try drivesBuilds("anything", text: text) == expected)
  }

  @Test("a script whose interpreter is a script is left alone")
  func nestedScript() throws {
    try withTemporaryDirectory { directory in
      try Files.write("#!/bin/sh\n", to: directory.appending("sh"))
      try Files.write("#!\(directory)/sh\n", to: directory.appending("outer"))
      #expect(directory.appending("sh").withPlatformString(fabrik_drives_builds))
      #expect(!directory.appending("outer").withPlatformString(fabrik_drives_builds))
    }
  }

  @Test("what is no file is left alone, and not waited for")
  func noFile() throws {
    try withTemporaryDirectory { directory in
      try FileSystem.makeDirectories(directory.appending("make"))
      #expect(mkfifo(directory.appending("ninja").string, 0o700) == 0)
      for name in ["make", "ninja", "sh"] {
        #expect(!directory.appending(name).withPlatformString(fabrik_drives_builds))
      }
    }
  }

  /// The offset of a text in a binary.
  private func offset(of text: String, in binary: [UInt8]) throws -> Int {
    let wanted = Array(text.utf8) + [0]
    return try #require(binary.indices.first { binary[$0...].starts(with: wanted) })
  }

  @Test("a binary for another machine, another C library or AddressSanitizer is left alone")
  func unfit() throws {
    let binary = try Files.read(Self.binary)
    #expect(try drivesBuilds("make", binary))
    var other = binary
    // 32 bits instead of 64.
    other[4] = 1
    #expect(try !drivesBuilds("make", other))
    other = binary
    other[18] = 3
    #expect(try !drivesBuilds("make", other))
    other = binary
    let interpreter = try #require(binary.indices.first { binary[$0...].starts(with: Array("/ld-linux".utf8)) })
    other[interpreter + 1] = UInt8(ascii: "x")
    #expect(try !drivesBuilds("make", other))
    other = binary
    let needed = try offset(of: "libc.so.6", in: binary)
    other.replaceSubrange(needed..<needed + 7, with: Array("libasan".utf8))
    #expect(try !drivesBuilds("make", other))
  }

  @Test("a binary that is linked statically is left alone: it would pass the library on without knowing")
  func linkedStatically() throws {
    var binary = try Files.read(Self.binary)
    // Its program headers follow the ELF header; 3 is PT_INTERP, 0 PT_NULL.
    let header = try #require(stride(from: 64, to: 64 + 20 * 56, by: 56).first { binary[$0] == 3 })
    binary[header] = 0
    #expect(try !drivesBuilds("make", binary))
  }

  @Test("a damaged binary does no harm")
  func damaged() throws {
    let binary = try Files.read(Self.binary)
    var generator = SeededGenerator(seed: 7)
    try withTemporaryDirectory { directory in
      let file = directory.appending("make")
      for length in [0, 1, 3, 4, 17, 63, 64, 65, 119, 400, 1023, 1024, 1025, 4096] {
        try Files.write(Array(binary.prefix(length)), to: file)
        _ = file.withPlatformString(fabrik_drives_builds)
      }
      for _ in 0..<500 {
        var other = Array(binary.prefix(8192))
        for _ in 0..<8 { other[Int.random(in: 4..<1024, using: &generator)] = .random(in: 0...255, using: &generator) }
        try Files.write(other, to: file)
        _ = file.withPlatformString(fabrik_drives_builds)
      }
    }
  }
}

@Suite("A compiler that is called by its path")
struct AbsoluteCompilerTests {
  /// Calls `body` with the path of an executable copy of a program.
  private func withCopy(_ name: String, of content: [UInt8]? = nil, _ body: (FilePath) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      let file = directory.appending(name)
      try Files.write(content ?? Files.read("/bin/sh"), to: file)
      #expect(chmod(file.string, 0o755) == 0)
      try body(file)
    }
  }

  private func isCompiler(_ file: FilePath, project: String = "") -> Bool {
    file.withPlatformString { fabrik_is_compiler($0, project) }
  }

  @Test("is run by ccache, also through links to it", arguments: ["gcc", "x86_64-linux-gnu-g++-12", "clang"])
  func compiler(name: String) throws {
    try withCopy(name) { file in
      #expect(isCompiler(file) && isCompiler(file, project: "/src") && isCompiler(file, project: "\(file)x"))
      let link = file.removingLastComponent().appending("cc")
      try FileSystem.makeSymbolicLink(link, to: file)
      #expect(isCompiler(link))
    }
  }

  @Test(
    "is not, if it is ccache, distcc, or anything else by another name", arguments: ["ccache", "distcc", "sccache"])
  func link(target: String) throws {
    try withCopy(target) { file in
      let link = file.removingLastComponent().appending("gcc")
      try FileSystem.makeSymbolicLink(link, to: file)
      #expect(!isCompiler(link) && !isCompiler(file))
    }
  }

  @Test("is not, if it lies in the project, which may be making it")
  func own() throws {
    try withCopy("gcc") { file in
      let directory = file.removingLastComponent()
      #expect(!isCompiler(file, project: directory.string))
      #expect(!isCompiler(file, project: directory.removingLastComponent().string))
      #expect(isCompiler(file, project: "\(directory)/g"))
    }
  }

  @Test("is not, if it is a script, has no date, cannot be executed, or is not there")
  func unusable() throws {
    try withCopy("gcc", of: Array("#!/bin/sh\nexec /usr/bin/gcc \"$@\"\n".utf8)) { #expect(!isCompiler($0)) }
    try withCopy("gcc", of: []) { #expect(!isCompiler($0)) }
    try withCopy("gcc") { file in
      var times = [timeval(tv_sec: 1, tv_usec: 0), timeval(tv_sec: 1, tv_usec: 0)]
      #expect(utimes(file.string, &times) == 0)
      #expect(!isCompiler(file))
    }
    try withCopy("gcc") { file in
      #expect(chmod(file.string, 0o644) == 0)
      #expect(!isCompiler(file))
    }
    #expect(!isCompiler("/nonexistent/gcc"))
  }
}

@Suite("Swift's compiler")
struct SwiftCompilerPolicyTests {
  private func isCompiler(_ name: String, content: [UInt8], mode: mode_t = 0o755) throws -> Bool {
    try withTemporaryDirectory { directory in
      let file = directory.appending(name)
      try Files.write(content, to: file)
      #expect(chmod(file.string, mode) == 0)
      return file.withPlatformString(fabrik_is_swiftc)
    }
  }

  @Test("is a binary of that name, also through a link")
  func compiler() throws {
    let binary = try Files.read("/bin/sh")
    #expect(try isCompiler("swiftc", content: binary))
    try withTemporaryDirectory { directory in
      // As toolchains have it.
      let link = directory.appending("swiftc")
      try FileSystem.makeSymbolicLink(link, to: "/bin/sh")
      #expect(link.withPlatformString(fabrik_is_swiftc))
    }
  }

  @Test(
    "has no other name",
    arguments: ["swift", "swift-frontend", "swiftc.real", "xswiftc", "swiftc-6.3", "fabrik-swiftc"])
  func otherName(name: String) throws {
    #expect(try !isCompiler(name, content: Files.read("/bin/sh")))
  }

  @Test("is no script, nothing that cannot be executed, and nothing that is no file")
  func unusable() throws {
    // A wrapper has a mind of its own.
    #expect(try !isCompiler("swiftc", content: Array("#!/bin/sh\nexec /opt/swift/usr/bin/swiftc \"$@\"\n".utf8)))
    #expect(try !isCompiler("swiftc", content: []))
    #expect(try !isCompiler("swiftc", content: Files.read("/bin/sh"), mode: 0o644))
    try withTemporaryDirectory { directory in
      let file = directory.appending("swiftc")
      #expect(!file.withPlatformString(fabrik_is_swiftc))
      #expect(mkfifo(file.string, 0o755) == 0)
      #expect(!file.withPlatformString(fabrik_is_swiftc))
      #expect(unlink(file.string) == 0)
      try FileSystem.makeDirectories(file)
      #expect(!file.withPlatformString(fabrik_is_swiftc))
    }
  }

  @Test(
    "is called by programs that may have the library", arguments: ["swift", "swift-build", "swift-test", "swift-run"])
  func packageManager(name: String) throws {
    try withTemporaryDirectory { directory in
      let file = directory.appending(name)
      try Files.write(Files.read("/bin/sh"), to: file)
      #expect(file.withPlatformString(fabrik_drives_builds))
    }
  }
}
