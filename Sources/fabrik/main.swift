import BuildLauncher
import CSpawn
import SystemSupport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

// `exec` is on the path of every build, so it is recognised before ArgumentParser is touched, which takes longer to
// start than everything that `exec` does. Only its help is ArgumentParser's.
if CommandLine.argc > 1, strcmp(CommandLine.unsafeArgv[1]!, "exec") == 0 {
  let arguments = (2..<Int(CommandLine.argc)).map { index in
    let argument = CommandLine.unsafeArgv[index]!
    return Array(UnsafeRawBufferPointer(start: argument, count: strlen(argument)))
  }
  let first = arguments.first.map { String(decoding: $0, as: UTF8.self) }
  if first == "--help" || first == "-h" { FabrikCommand.printExecHelp() }
  ExecSession.run(arguments: arguments, environment: Environment(block: fabrik_environ()))
}
FabrikCommand.start()
