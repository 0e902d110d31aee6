import BuildLauncher
import CSpawn
import GoCacheProgram
import SystemSupport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

// `exec` is on the path of every build, and Go starts `cacheprog` for each of its commands, so they are recognised before
// ArgumentParser is touched, which takes longer to start than everything that they do. Only the help of `exec` is
// ArgumentParser's; `cacheprog` is for nobody to type.
if CommandLine.argc > 1 {
  let arguments = (1..<Int(CommandLine.argc)).map { index in
    let argument = CommandLine.unsafeArgv[index]!
    return Array(UnsafeRawBufferPointer(start: argument, count: strlen(argument)))
  }
  let rest = Array(arguments.dropFirst())
  if arguments[0].elementsEqual("exec".utf8) {
    let first = rest.first.map { String(decoding: $0, as: UTF8.self) }
    if first == "--help" || first == "-h" { FabrikCommand.printExecHelp() }
    ExecSession.run(arguments: rest, environment: Environment(block: fabrik_environ()))
  }
  if arguments[0].elementsEqual("cacheprog".utf8) {
    GoCacheProgram.run(arguments: rest, environment: Environment(block: fabrik_environ()))
  }
}
FabrikCommand.start()
