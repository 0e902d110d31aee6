package import Glibc
import SystemPackage

/// Linux's process table, read from /proc.
package struct LinuxProcessTable: ProcessTable {
  package init() {}

  package func parent(of process: pid_t) -> pid_t? {
    // "pid (name) state ppid …": the name may hold anything, so the last parenthesis counts.
    guard let text = SmallFile.read(FilePath("/proc/\(process)/stat")), let end = text.lastIndex(of: ")") else {
      return nil
    }
    let fields = text[end...].split(separator: " ")
    return fields.count > 2 ? pid_t(fields[2]) : nil
  }
}
