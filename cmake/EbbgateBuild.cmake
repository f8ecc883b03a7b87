# How every target of the project is compiled, and the one way to declare a folder of src/.

set(EBBGATE_SANITIZE "" CACHE STRING "Sanitizers for the whole build, as -fsanitize takes them")
option(EBBGATE_FUZZ "Link the fuzz targets with libFuzzer rather than with the corpus replayer" OFF)
option(EBBGATE_STATIC "Link everything into the program, so that it runs on any Linux" OFF)

add_library(ebbgate_options INTERFACE)
target_compile_options(ebbgate_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
target_include_directories(ebbgate_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
if(EBBGATE_SANITIZE)
  # Set globally: every object of the build has to agree.
  add_compile_options(-fsanitize=${EBBGATE_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${EBBGATE_SANITIZE})
  # The check of dynamic types asks through a pipe whether memory is readable, and takes "no" for an
  # error where a test has used up the descriptors.
  add_compile_options(-fno-sanitize=vptr)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  add_compile_options(-ffunction-sections -fdata-sections)
  add_link_options(-Wl,--gc-sections)
  # The same source gives the same octets wherever it lies.
  add_compile_options(-ffile-prefix-map=${CMAKE_BINARY_DIR}=build
                      -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
endif()
if(EBBGATE_STATIC)
  # CMake prefers a shared library where it finds one, and the program then crashes at its start:
  # find_library() is to know archives only, and no -Bdynamic is to stand on the command line.
  set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
  set(CMAKE_LINK_SEARCH_START_STATIC ON)
  set(CMAKE_LINK_SEARCH_END_STATIC ON)
  add_link_options(-static-pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--build-id=sha1)
  # What the program was made of, for its bill of materials (tools/package).
  add_link_options(-Wl,--dependency-file=link.d)
endif()

# Half of a compilation is the standard library's headers, so they are read once: for libraries, for
# the program, for tests. What is shipped is built without, and so is what is fuzzed: that a source
# names what it uses is found there.
set(EBBGATE_STANDARD_HEADERS
  <algorithm> <array> <atomic> <chrono> <coroutine> <cstdint> <cstdio> <cstring> <deque> <exception>
  <expected> <functional> <iterator> <map> <memory> <optional> <set> <span> <string>
  <string_view> <thread> <tuple> <unordered_map> <unordered_set> <utility> <variant> <vector>)
function(ebbgate_precompile target first)
  if(EBBGATE_FUZZ OR NOT BUILD_TESTING)
    return()
  endif()
  if(target STREQUAL first)
    target_precompile_headers(${target} PRIVATE ${EBBGATE_STANDARD_HEADERS} ${ARGN})
  else()
    target_precompile_headers(${target} REUSE_FROM ${first})
  endif()
endfunction()

# What is worth a run under TSan: the program, and the unit tests of folders whose objects threads
# share. Their tests have the label `concurrent`.
add_custom_target(concurrent_tests)

# ebbgate_library(<folder> [DEPS <folder>...] [LIBS <external>...] [CONCURRENT])
# Makes the static library of src/<folder> from its *.cc, and, where there are any, the program
# <folder>_test of its *_test.cc (each test case a test of ctest) and <folder>_bench of its
# *_bench.cc. LIBS are private to the folder: no third-party type crosses its headers.
function(ebbgate_library name)
  cmake_parse_arguments(ARG "CONCURRENT" "" "DEPS;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cc detail/*.cc)
  file(GLOB headers CONFIGURE_DEPENDS *.h)
  file(GLOB tests CONFIGURE_DEPENDS *_test.cc)
  file(GLOB benches CONFIGURE_DEPENDS *_bench.cc)
  list(REMOVE_ITEM sources ${tests} ${benches} "")
  add_library(${name} STATIC ${sources})
  target_sources(${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR}/src
                 FILES ${headers})
  target_link_libraries(${name} PUBLIC ebbgate_options ${ARG_DEPS} PRIVATE ${ARG_LIBS})
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX VERIFY_INTERFACE_HEADER_SETS ON)
  ebbgate_precompile(${name} base)
  if(tests AND NOT BUILD_TESTING)
    # For what a folder says of its tests; nothing builds it.
    add_library(${name}_test OBJECT EXCLUDE_FROM_ALL ${tests})
  elseif(tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE ${name} ${ARG_LIBS} GTest::gmock GTest::gtest_main)
    # What is tested is optimized; most of a test is matchers, which take longer to compile then
    # than the tests take to run.
    target_compile_options(${name}_test PRIVATE -O0)
    ebbgate_precompile(${name}_test base_test <gmock/gmock.h> <gtest/gtest.h>)
    set(properties TIMEOUT 120)
    if(ARG_CONCURRENT)
      list(APPEND properties LABELS concurrent)
      add_dependencies(concurrent_tests ${name}_test)
    endif()
    gtest_discover_tests(${name}_test TEST_PREFIX ${name}. DISCOVERY_TIMEOUT 60
                         PROPERTIES ${properties})
  endif()
  if(benches AND BUILD_TESTING AND NOT EBBGATE_SANITIZE)
    add_executable(${name}_bench ${benches})
    target_link_libraries(${name}_bench PRIVATE ${name} ${ARG_LIBS} benchmark::benchmark_main)
  endif()
endfunction()
