// The plain program: the commands of this folder and no others.

#include "cli/program.h"

int main(int count, char** arguments) {
  return godwit::cli::run_program(count, arguments, {});
}
