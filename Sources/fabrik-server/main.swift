import CacheServer
import Glibc
import SystemSupport

// Started by `fabrik`, with its listening sockets and its configuration as inherited descriptors, and nothing else.
guard let options = ServerOptions(arguments: Array(CommandLine.arguments.dropFirst())) else {
  StandardStream.error.write(line: "fabrik-server is started by fabrik; see 'fabrik help exec'")
  exit(125)
}
do {
  try await CacheServer(options: options).run()
  exit(0)
} catch {
  CacheServer.reportStartFailure(error, to: options.instance)
  exit(1)
}
