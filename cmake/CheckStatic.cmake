# Ends the build where the program would not run on any Linux: run by `cmake -P` after the link.
# In: PROGRAM, and OBJECTS, what is our own in it, READELF and NM of LLVM.

execute_process(COMMAND ${READELF} --program-headers --dynamic-table ${PROGRAM}
                OUTPUT_VARIABLE headers COMMAND_ERROR_IS_FATAL ANY)
if(headers MATCHES "INTERP" OR headers MATCHES "\\(NEEDED\\)")
  message(FATAL_ERROR "${PROGRAM} is not static: it asks for a loader or a shared library.\n${headers}")
endif()
if(NOT headers MATCHES "FLAGS_1[^\n]*PIE")
  message(FATAL_ERROR "${PROGRAM} does not move in memory (-static-pie):\n${headers}")
endif()

# What the C library does with modules that it loads at run time, of its own version: names of hosts,
# users, groups and services, character sets, and dlopen itself. Libraries that we link have such
# calls in places that are never reached; we have none.
string(REPLACE "," ";" OBJECTS "${OBJECTS}")
execute_process(COMMAND ${NM} --undefined-only --print-file-name ${OBJECTS}
                OUTPUT_VARIABLE undefined ERROR_QUIET COMMAND_ERROR_IS_FATAL ANY)
set(modules "(getaddrinfo|getnameinfo|gethostby|get(pw|gr|sp)(nam|uid|gid|ent)|getservby|getprotoby|getgrouplist|initgroups|iconv_open|dlopen|dlmopen)")
if(undefined MATCHES "[^\n]*U ${modules}[^\n]*")
  message(FATAL_ERROR "A static program cannot do this, since it has no modules: ${CMAKE_MATCH_0}")
endif()
