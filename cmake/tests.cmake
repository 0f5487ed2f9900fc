# One test program and one benchmark program for each folder, from tests/<folder> and bench/<folder>.
if(GOTORCH_TESTS)
  enable_testing()
  find_package(GTest REQUIRED)
endif()
if(GOTORCH_BENCH)
  find_package(benchmark REQUIRED)
endif()

function(gotorch_program name)
  add_executable(${name} ${ARGN})
  target_compile_options(${name} PRIVATE ${GOTORCH_FLAGS})
  target_link_libraries(${name} PRIVATE gotorch)
endfunction()

function(gotorch_programs kind dir suffix)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${kind}/${dir}/*_${suffix}.cpp)
  if(sources)
    gotorch_program(${dir}_${suffix} ${sources})
    target_link_libraries(${dir}_${suffix} PRIVATE ${ARGN})
  endif()
endfunction()

set(GOTORCH_TEST_DIRS runtime tensor grad layers optim data CACHE STRING "The folders whose tests are built")
# An allocation that cannot be had fails, as it does otherwise; a variable is not used after its function has returned;
# a forked child may start threads.
set(sanitizer_options
  ASAN_OPTIONS=allocator_may_return_null=1:detect_stack_use_after_return=1
  UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=die_after_fork=0)
if(GOTORCH_SANITIZE)
  list(APPEND sanitizer_options GOTORCH_SEEDS=5)  # instrumented code is slow
endif()

foreach(dir IN LISTS GOTORCH_TEST_DIRS)
  if(GOTORCH_TESTS)
    gotorch_programs(tests ${dir} test GTest::gtest GTest::gtest_main)
    if(TARGET ${dir}_test)
      add_test(NAME ${dir} COMMAND ${dir}_test)
      set_tests_properties(${dir} PROPERTIES TIMEOUT 900 ENVIRONMENT "${sanitizer_options}")
    endif()
  endif()
  if(GOTORCH_BENCH)
    gotorch_programs(bench ${dir} bench benchmark::benchmark_main)
  endif()
endforeach()

if(TARGET runtime_test)
  add_dependencies(runtime_test gotorch_locks)
  set_source_files_properties(tests/runtime/held_locks_test.cpp PROPERTIES
    COMPILE_DEFINITIONS GOTORCH_LOCKS_LIBRARY="$<TARGET_FILE:gotorch_locks>")
endif()

if(GOTORCH_BENCH)
  gotorch_program(vs_go bench/vs_go/programs.cpp bench/vs_go/figures.cpp)
  find_package(OpenMP)
  if(OpenMP_CXX_FOUND)
    add_executable(vs_openmp bench/vs_go/openmp.cpp)
    target_link_libraries(vs_openmp PRIVATE OpenMP::OpenMP_CXX)
    add_dependencies(vs_go vs_openmp)
  endif()
  if(GOTORCH_PYTHON)
    add_dependencies(vs_go _C)  # bench/vs_go/task.py
  endif()
endif()

# Tests with inner loops of their own are compiled as those of the library are.
set_source_files_properties(tests/tensor/math_test.cpp PROPERTIES COMPILE_OPTIONS "${GOTORCH_LOOP_FLAGS}")

if(GOTORCH_TESTS AND NOT GOTORCH_SANITIZE)
  # The runtime's own source on the atomics of tests/models/explorer.h, which tries all schedules. What a model calls of the
  # rest of the runtime stands beside it; what it does not call is left out: calling it crashes.
  add_library(explorer STATIC tests/models/explorer.cpp)
  target_compile_options(explorer PRIVATE ${GOTORCH_FLAGS})
  target_include_directories(explorer PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(explorer PUBLIC Boost::context GTest::gtest)
  function(gotorch_models name)
    add_executable(${name} ${ARGN})
    target_compile_options(${name} PRIVATE ${GOTORCH_FLAGS} -include ${CMAKE_CURRENT_SOURCE_DIR}/tests/models/prelude.h
      -DGOTORCH_SWITCH_BY_CONTEXT=1 -ffunction-sections)
    target_link_options(${name} PRIVATE -no-pie -Wl,--gc-sections -Wl,--unresolved-symbols=ignore-in-object-files)
    target_link_libraries(${name} PRIVATE explorer GTest::gtest_main Threads::Threads)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT 300)
  endfunction()
  file(GLOB models CONFIGURE_DEPENDS tests/models/*_test.cpp)
  gotorch_models(models_test ${models} tests/models/support.cpp
    runtime/park.cpp runtime/chan_core.cpp runtime/select.cpp runtime/scope.cpp runtime/context.cpp)
  gotorch_models(idle_models_test tests/models/idle/idle_test.cpp runtime/worker_idle.cpp runtime/scheduler.cpp)
  add_custom_target(proof DEPENDS runtime_test models_test idle_models_test)  # what `make prove` runs
endif()

if(GOTORCH_TESTS)
  gotorch_program(runtime_soak tests/runtime/soak.cpp)
  add_custom_target(examples ALL)
  add_dependencies(examples train_digits serve_digits word_counts)
endif()

if(GOTORCH_TESTS AND NOT GOTORCH_SANITIZE)
  # Installs the library to a fresh prefix and builds examples/ against it with find_package.
  add_test(NAME consumer COMMAND ${CMAKE_COMMAND}
    -DBUILD=${CMAKE_CURRENT_BINARY_DIR} -DSOURCE=${CMAKE_CURRENT_SOURCE_DIR}/examples
    -DCOMPILER=${CMAKE_CXX_COMPILER} -DGENERATOR=${CMAKE_GENERATOR} -DMAKE=${CMAKE_MAKE_PROGRAM}
    -P ${CMAKE_CURRENT_SOURCE_DIR}/tests/consumer.cmake)
endif()
