/// A small C project with a Makefile that names its compiler as many do.
struct CProject {
  var files: Int
  var flags = "-O1"

  func write(to sandbox: Sandbox, directory: String) throws {
    for number in 1...files {
      try sandbox.write(
        "#include \"all.h\"\nint f\(number)(int x) { return x + \(number) * SCALE; }\n", to: "\(directory)/f\(number).c"
      )
    }
    try sandbox.write("#define SCALE 3\n", to: "\(directory)/all.h")
    try sandbox.write(
      "#include <stdio.h>\nint main(void) { printf(\"\(files) files\\n\"); return 0; }\n", to: "\(directory)/main.c")
    let objects = (1...files).map { "f\($0).o" }.joined(separator: " ")
    // The program itself is compiled and linked in one step, which ccache leaves to the compiler.
    try sandbox.write(
      """
      CC = gcc
      CFLAGS = \(flags)
      program: main.c \(objects)
      \t$(CC) $(CFLAGS) -o $@ main.c \(objects)
      clean:
      \trm -f program *.o
      """, to: "\(directory)/Makefile")
  }
}
