# Manual pages and shell completions, written from what `godwit` itself says of its commands (src/cli/describe.cc), so that
# they and --help cannot differ. They need a program that runs here, and Python.
find_package(Python3 QUIET COMPONENTS Interpreter)
if(CMAKE_CROSSCOMPILING OR NOT Python3_Interpreter_FOUND)
  message(STATUS "godwit: manual pages and completions are left out: they need Python and a program that runs here")
  return()
endif()
set(manual ${PROJECT_BINARY_DIR}/manual)
add_custom_command(OUTPUT ${manual}/done
  COMMAND Python3::Interpreter -B ${PROJECT_SOURCE_DIR}/tools/make_manual.py $<TARGET_FILE:godwit> ${manual}
  DEPENDS godwit ${PROJECT_SOURCE_DIR}/tools/make_manual.py
  COMMENT "Writing manual pages and completions" VERBATIM)
add_custom_target(godwit_manual ALL DEPENDS ${manual}/done)
install(DIRECTORY ${manual}/man1 DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT tools)
install(FILES ${manual}/godwit.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME godwit
  COMPONENT tools)
install(FILES ${manual}/_godwit DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT tools)
install(FILES ${manual}/godwit.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT tools)
