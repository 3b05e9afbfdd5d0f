# Targets of this project: one static library a folder, one test program a test file's folder.

add_library(leadsweep_options INTERFACE)
target_compile_features(leadsweep_options INTERFACE cxx_std_20)
target_include_directories(leadsweep_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
target_compile_options(leadsweep_options INTERFACE -Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor)
if(LEADSWEEP_WERROR)
    target_compile_options(leadsweep_options INTERFACE -Werror)
endif()
if(LEADSWEEP_FUZZ)
    target_compile_options(leadsweep_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(LEADSWEEP_SANITIZE)
    # What a sanitizer finds ends the program: a report that nobody reads is no failure.
    target_compile_options(leadsweep_options INTERFACE -fsanitize=${LEADSWEEP_SANITIZE} -fno-sanitize-recover=all
        -fno-omit-frame-pointer)
    target_link_options(leadsweep_options INTERFACE -fsanitize=${LEADSWEEP_SANITIZE})
endif()

# leadsweep_add_library(NAME SOURCES file... [DEPENDS target...] [PRIVATE_DEPENDS target...])
# A static library of this folder. What its headers show goes into DEPENDS, what only its sources use into PRIVATE_DEPENDS.
function(leadsweep_add_library name)
    cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;PRIVATE_DEPENDS" ${ARGN})
    add_library(${name} STATIC ${ARG_SOURCES})
    target_link_libraries(${name} PUBLIC leadsweep_options ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE_DEPENDS})
endfunction()

# leadsweep_add_tests(NAME SOURCES file... DEPENDS target... [LABELS label...] [TIMEOUT seconds])
# One Catch2 program; every test case in it becomes a test of CTest, labelled `unit` unless LABELS says otherwise.
function(leadsweep_add_tests name)
    cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPENDS;LABELS;DEFINITIONS" ${ARGN})
    if(NOT ARG_LABELS)
        set(ARG_LABELS unit)
    endif()
    if(NOT ARG_TIMEOUT)
        set(ARG_TIMEOUT 120)
    endif()
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE leadsweep_options ${ARG_DEPENDS} Catch2::Catch2WithMain)
    target_compile_definitions(${name} PRIVATE LEADSWEEP_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
        LEADSWEEP_BINARY_DIR="${PROJECT_BINARY_DIR}" ${ARG_DEFINITIONS})
    # A skipped test says "SKIPPED: reason" (tests/support/catch.hpp): CTest shows it as skipped, never as passed.
    catch_discover_tests(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT}
        SKIP_REGULAR_EXPRESSION "SKIPPED: "
        ENVIRONMENT "OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1;OMPI_MCA_rmaps_base_oversubscribe=1;PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe")
endfunction()

# leadsweep_embed(TARGET file...): makes each file a string constant, `leadsweep::embedded::<name_with_underscores>`,
# declared in generated/embedded/<target>.hpp, so that an installed program needs no source tree.
function(leadsweep_embed target)
    set(header ${PROJECT_BINARY_DIR}/generated/embedded/${target}.hpp)
    set(text "#pragma once\n#include <string_view>\nnamespace leadsweep::embedded {\n")
    foreach(file ${ARGN})
        get_filename_component(path ${file} ABSOLUTE)
        get_filename_component(base ${file} NAME)
        string(MAKE_C_IDENTIFIER ${base} identifier)
        file(READ ${path} content)
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
        string(APPEND text "inline constexpr std::string_view ${identifier} = R\"leadsweep(${content})leadsweep\";\n")
    endforeach()
    string(APPEND text "}  // namespace leadsweep::embedded\n")
    set(previous "")
    if(EXISTS ${header})
        file(READ ${header} previous)
    endif()
    if(NOT previous STREQUAL text)
        file(WRITE ${header} "${text}")
    endif()
endfunction()
