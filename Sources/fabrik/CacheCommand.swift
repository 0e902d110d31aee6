import ArgumentParser
import CacheStore
import Configuration
import ControlProtocol
import SystemPackage
import SystemSupport

/// `fabrik cache`: looks after the local store.
struct CacheCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cache",
    abstract: "Look after the local cache.",
    subcommands: [Stats.self, Collect.self, Verify.self, Clear.self, Path.self])

  /// How full the cache is.
  struct Stats: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show how full the cache is.")

    @OptionGroup var options: ConfigurationOption
    @OptionGroup var format: FormatOption

    func run() throws {
      let store = try World(options).openStore()
      let summary = store.summary
      let compilers = CompilerFiles(CompilerDirectories(cacheDirectory: store.directory)).size
      format.print(
        [
          ("path", .string(store.directory.string)), ("entries", .integer(summary.entries)),
          ("bytes", .integer(summary.bytes)), ("max_bytes", .integer(summary.maxSize)),
          ("compilers_bytes", .integer(compilers)), ("evicted", .integer(summary.evicted)),
          ("damaged", .integer(summary.damaged)),
        ],
        lines: [
          "path      \(store.directory)",
          "entries   \(summary.entries)",
          "size      \(ByteSize(bytes: summary.bytes)) on disk, of at most \(ByteSize(bytes: summary.maxSize))",
          "compilers \(ByteSize(bytes: compilers)) more, which Swift's and Clang's compilers keep at hand",
          "evicted   \(summary.evicted) since the cache was made",
          "damaged   \(summary.damaged) found and removed since the cache was made",
        ])
    }
  }

  /// Evicts what is too much.
  struct Collect: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "gc", abstract: "Remove what was not used for longest, if the cache is over its limit.")

    @OptionGroup var options: ConfigurationOption
    @OptionGroup var format: FormatOption

    func run() throws {
      let store = try World(options).openStore()
      let collection: CacheStore.Collection?
      do {
        collection = try store.collect()
      } catch {
        throw CommandFailure(description: "\(store.directory): \(error)")
      }
      guard let collection else {
        throw CommandFailure(description: "another process is tidying this cache at the moment; nothing was done")
      }
      format.print(
        [
          ("removed_bytes", .integer(collection.removedBytes)), ("bytes", .integer(collection.remainingBytes)),
          ("entries", .integer(collection.remainingEntries)),
        ],
        lines: [
          "removed \(ByteSize(bytes: collection.removedBytes)); "
            + "\(collection.remainingEntries) entries with \(ByteSize(bytes: collection.remainingBytes)) remain"
        ])
    }
  }

  /// Reads everything.
  struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Read every entry and remove those that are damaged.")

    @OptionGroup var options: ConfigurationOption
    @OptionGroup var format: FormatOption

    func run() throws {
      let result = try World(options).openStore().verify()
      format.print(
        [
          ("sound", .integer(result.soundEntries)), ("damaged", .integer(result.damagedEntries)),
          ("without_blob", .integer(result.entriesWithoutBlob)),
        ],
        lines: [
          "sound     \(result.soundEntries)", "damaged   \(result.damagedEntries), removed",
          "evicted   \(result.entriesWithoutBlob), without content, removed",
        ])
    }
  }

  /// Removes everything.
  struct Clear: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Remove every entry, and what compilers keep at hand.")

    @OptionGroup var options: ConfigurationOption

    func run() throws {
      let store = try World(options).openStore()
      let freed = store.clear()
      let compilers = CompilerFiles(CompilerDirectories(cacheDirectory: store.directory)).clear()
      StandardStream.output.write(line: "removed \(ByteSize(bytes: freed + compilers.freed))")
      if compilers.isInUse {
        StandardStream.error.write(line: "fabrik: what the compilers of a running build use was left there")
      }
    }
  }

  /// Where it is.
  struct Path: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print the directory of the cache.")

    @OptionGroup var options: ConfigurationOption

    func run() throws {
      StandardStream.output.write(line: try World(options).configuration.cacheDirectory.value.string)
    }
  }
}
