"""C and C++ through ccache, as real build systems call the compilers."""

import unittest

from toolcase import ToolScenario, files, write

SOURCES = {
    "program.c": '#include <stdio.h>\n#include "part.h"\nint main(void) { printf("%d\\n", part()); return 0; }\n',
    "part.c": '#include "part.h"\nint part(void) { return 42; }\n',
    "part.h": "int part(void);\n",
}


class MakeTests(ToolScenario):
    def test_another_directory_gets_what_the_first_has_built(self):
        texts = {**SOURCES, "Makefile": "program: program.o part.o\n\t$(CC) -o $@ $^\n"}
        fabrik = self.installation()
        products = []
        for name in ("first", "second"):
            directory = write(f"{fabrik.top}/{name}", texts)
            build = fabrik.build(["make"], directory=directory)
            products.append(files(directory))
        self.assert_hits(build, "ccache", share=1, at_least=4)
        self.assertEqual(*products)


if __name__ == "__main__":
    unittest.main()
