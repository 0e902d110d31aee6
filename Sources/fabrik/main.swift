import BuildLauncher
import CSpawn
import Glibc
import GoCacheProgram
import SystemPackage
import SystemSupport

let words = (0..<Int(CommandLine.argc)).map { index in
  let argument = CommandLine.unsafeArgv[index]!
  return Array(UnsafeRawBufferPointer(start: argument, count: strlen(argument)))
}

// As one of the programs it stands in for.
if let name = words.first.flatMap({ FilePath(bytes: $0).lastComponent?.string }), let shim = ToolShim(rawValue: name) {
  shim.run(arguments: words, environment: Environment(block: fabrik_environ()))
}

// `exec` is on the path of every build, and Go starts `cacheprog` for each of its commands, so they are recognised before
// ArgumentParser is touched, which takes longer to start than everything that they do. Only the help of `exec` is
// ArgumentParser's; `cacheprog` is for nobody to type.
if words.count > 1 {
  let rest = Array(words.dropFirst(2))
  if words[1].elementsEqual("exec".utf8) {
    let first = rest.first.map { String(decoding: $0, as: UTF8.self) }
    if first == "--help" || first == "-h" { FabrikCommand.printExecHelp() }
    ExecSession.run(arguments: rest, environment: Environment(block: fabrik_environ()))
  }
  if words[1].elementsEqual("cacheprog".utf8) {
    GoCacheProgram.run(arguments: rest, environment: Environment(block: fabrik_environ()))
  }
}
FabrikCommand.start()
