import CacheStore
import Glibc
import SystemPackage
import SystemSupport
import TestSupport

// One of several processes that use a store at once, for tests.
//
//     store-writer write DIRECTORY FIRST COUNT LAST-STEP   stores COUNT entries from number FIRST on, prints
//                                                          `NUMBER VERSION` for each that was acknowledged, and kills
//                                                          itself at the LAST-STEP-th step of the store (0: never)
//     store-writer mix DIRECTORY SEED ROUNDS               stores, reads, collects, clears and verifies at random on few
//                                                          keys; prints `wrong NUMBER` for each body that is none of
//                                                          that number
//     store-writer pin DIRECTORY NUMBER                    pins a blob, prints `pinned`, and waits to be killed

let arguments = CommandLine.arguments
let numbers = arguments.dropFirst(3).map { UInt64($0)! }
let directory = FilePath(arguments[2])

func makeStore(maxSize: UInt64, lastStep: UInt64 = 0) throws -> CacheStore {
  let counter = StepCounter(last: lastStep)
  return try CacheStore(directory: directory, maxSize: maxSize, step: { _ in counter.pass() })
}

switch arguments[1] {
case "write":
  let store = try makeStore(maxSize: 1 << 40, lastStep: numbers[2])
  for number in numbers[0]..<numbers[0] + numbers[1] {
    let entry = SeededEntry(number: number, version: number % 3)
    var generator = SeededGenerator(seed: number)
    let outcome = store.put(
      entry.key, pieces: generator.pieces(of: entry.body), mode: number % 2 == 0 ? .replace : .keepFirst)
    if case .stored = outcome { StandardStream.output.write(line: "\(entry.number) \(entry.version)") }
  }
case "mix":
  let store = try makeStore(maxSize: 2_000_000)
  var generator = SeededGenerator(seed: numbers[0])
  for _ in 0..<numbers[1] {
    let number = UInt64.random(in: 0..<24, using: &generator)
    let version = SeededEntry.versions.randomElement(using: &generator)!
    let entry = SeededEntry(number: number, version: version)
    switch Int.random(in: 0..<100, using: &generator) {
    case ..<40:
      _ = store.put(entry.key, pieces: generator.pieces(of: entry.body), mode: version == 0 ? .keepFirst : .replace)
    case ..<85:
      if let body = store.body(entry.key), SeededEntry.version(of: number, body: body) == nil {
        StandardStream.output.write(line: "wrong \(number)")
      }
    case ..<90: _ = store.remove(entry.key)
    case ..<95: _ = try? store.collect()
    case ..<97: _ = try? store.collect(target: 0)
    case ..<99: _ = store.verify()
    default: _ = store.clear()
    }
  }
case "pin":
  let entry = try makeStore(maxSize: 1 << 40).lookup(CacheKey(test: numbers[0]))
  entry?.blob?.pin()
  StandardStream.output.write(line: entry?.blob == nil ? "there is no such blob" : "pinned")
  withExtendedLifetime(entry) { _ = pause() }
default:
  StandardStream.error.write(line: "see the comment at the top of this program")
  exit(2)
}
