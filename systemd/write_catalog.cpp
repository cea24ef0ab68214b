// Writes the catalog of the journal while we are built: write_catalog FILE.
#include <cstdlib>
#include <fstream>

#include "daemon/event.hpp"

int main(int argc, char** argv) {
  if (argc != 2) return EXIT_FAILURE;
  std::ofstream file(argv[1], std::ios::binary);
  file << flanks::journal_catalog();
  file.close();
  return file ? EXIT_SUCCESS : EXIT_FAILURE;
}
