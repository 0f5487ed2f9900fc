# One layout for both uses. As a C++ prefix: lib/libgotorch.so, include/gotorch, lib/cmake/GoTorch.
# As the Python package (prefix = the folder gotorch/): the same, and the extension at its top.
include(CMakePackageConfigHelpers)

if(Boost_DIR MATCHES "^/usr/lib" AND NOT GOTORCH_PYTHON)
  set(bundle OFF)
else()
  set(bundle ON)
endif()
option(GOTORCH_BUNDLE_BOOST "Install Boost's shared libraries beside libgotorch.so" ${bundle})

# DT_RPATH, not DT_RUNPATH: it also serves the libraries that these libraries need.
set_target_properties(gotorch PROPERTIES INSTALL_RPATH "$ORIGIN")
target_link_options(gotorch PRIVATE -Wl,--disable-new-dtags)
if(GOTORCH_PYTHON)
  set_target_properties(_C PROPERTIES INSTALL_RPATH "$ORIGIN/lib")
  target_link_options(_C PRIVATE -Wl,--disable-new-dtags)
  install(TARGETS _C LIBRARY DESTINATION . COMPONENT python)
endif()

install(TARGETS gotorch_locks LIBRARY DESTINATION lib COMPONENT cpp)
install(TARGETS gotorch EXPORT GoTorchTargets LIBRARY DESTINATION lib COMPONENT cpp)
install(EXPORT GoTorchTargets NAMESPACE GoTorch:: DESTINATION lib/cmake/GoTorch COMPONENT cpp)
foreach(dir runtime tensor grad layers optim data)
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${dir})
    install(DIRECTORY ${dir} DESTINATION include/gotorch COMPONENT cpp FILES_MATCHING PATTERN "*.h")
  endif()
endforeach()
configure_package_config_file(cmake/GoTorchConfig.cmake.in GoTorchConfig.cmake
  INSTALL_DESTINATION lib/cmake/GoTorch)
write_basic_package_version_file(GoTorchConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/GoTorchConfig.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/GoTorchConfigVersion.cmake
  DESTINATION lib/cmake/GoTorch COMPONENT cpp)

if(GOTORCH_BUNDLE_BOOST)
  install(CODE "set(library [[$<TARGET_FILE:gotorch>]])\nset(boost_lib [[$<TARGET_FILE_DIR:Boost::fiber>]])"
    COMPONENT cpp)
  install(SCRIPT ${CMAKE_CURRENT_SOURCE_DIR}/cmake/bundle_boost.cmake COMPONENT cpp)
endif()
