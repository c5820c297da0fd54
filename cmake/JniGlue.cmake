# The JNI glue between a class of native methods and libhadal: JavaCPP writes its source, g++ compiles it.
#
#   HADAL_JNI_CLASS       the class, as Java writes it
#   HADAL_JNI_CLASSES     the directory of its class file
#   HADAL_JNI_CLASSPATH   JavaCPP's jar
#   HADAL_JNI_JAVA_HOME   the JDK, for java and jni.h
#
# In the JVM, JavaCPP's loader looks for libjni<simple name>.so.
string(REGEX REPLACE ".*\\." "" simple_name ${HADAL_JNI_CLASS})
string(REPLACE "." "/" class_file ${HADAL_JNI_CLASS})
set(glue ${CMAKE_CURRENT_BINARY_DIR}/jni)

# The Java compiler rewrites class files that have not changed; only a changed one is worth a new glue.
set(stamp ${glue}/${simple_name}.class)
execute_process(COMMAND ${CMAKE_COMMAND} -E make_directory ${glue})
add_custom_target(jni_class COMMAND ${CMAKE_COMMAND} -E copy_if_different
                                    ${HADAL_JNI_CLASSES}/${class_file}.class ${stamp}
                  BYPRODUCTS ${stamp})

add_custom_command(
  OUTPUT ${glue}/jni${simple_name}.cpp ${glue}/jnijavacpp.cpp
  COMMAND ${HADAL_JNI_JAVA_HOME}/bin/java -cp ${HADAL_JNI_CLASSPATH} org.bytedeco.javacpp.tools.Builder
          -nocompile -cp ${HADAL_JNI_CLASSES} -d ${glue} ${HADAL_JNI_CLASS}
  DEPENDS jni_class ${stamp}
  COMMENT "Generating the JNI glue of ${simple_name}"
  VERBATIM)

add_library(jni${simple_name} SHARED ${glue}/jni${simple_name}.cpp ${glue}/jnijavacpp.cpp)
target_include_directories(jni${simple_name} PRIVATE ${HADAL_JNI_JAVA_HOME}/include
                                                     ${HADAL_JNI_JAVA_HOME}/include/linux)
target_link_libraries(jni${simple_name} PRIVATE hadal)
# Generated code is full of what -Wall finds. -Bsymbolic: every JavaCPP library holds its own copy of the same
# functions, and each must call its own.
target_compile_options(jni${simple_name} PRIVATE -w)
target_link_options(jni${simple_name} PRIVATE -Wl,-Bsymbolic -Wl,-z,noexecstack)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_link_options(jni${simple_name} PRIVATE -s)
endif()
set_target_properties(jni${simple_name} PROPERTIES BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "$ORIGIN")
