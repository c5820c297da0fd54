#!/usr/bin/env bash
# Builds libhadal and its JNI glue into the class directory of java/onednn, whose Maven build runs this after
# compiling. Nothing happens when nothing has changed.
#
#   build.sh PLATFORM CLASSES WORK JAVA_HOME CLASSPATH [require]
#
# Of the class path, JavaCPP's jar is all that is used: the rest differs from one Maven phase to the next.
#
# On a machine without the tools it says so in one line and leaves Hadal to run without libhadal, which works
# and is slower; with `require` (-Dhadal.native=require) that is an error.
set -euo pipefail

class=dev.hadal.onednn.natives.HadalNative
platform=$1 classes=$2 work=$3 java_home=$4 classpath=$5 wanted=${6:-}
native=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
into=$classes/dev/hadal/onednn/natives/$platform
log=$work/build.log

main() {
    check_the_tools
    mkdir -p "$work" "$into"
    if ! build >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        echo "hadal: libhadal does not build, see $log; -Dhadal.native=off builds without it" >&2
        exit 1
    fi
    local changed=
    for library in libhadal.so libjniHadalNative.so; do
        cmp -s "$work/cmake/$library" "$into/$library" && continue
        cp -p "$work/cmake/$library" "$into/"
        changed=yes
    done
    if [ -n "$changed" ]; then echo "hadal: built libhadal for $platform"; fi
}

check_the_tools() {
    [[ $(uname -s) == Linux && $platform == linux-* ]] ||
        do_without "libhadal is not made for $platform" "the Java kernels do its work"
    command -v "${CXX:-g++}" >/dev/null ||
        do_without "no C++ compiler found" "install g++ and cmake for the fused native kernels"
    command -v cmake >/dev/null ||
        do_without "no CMake found" "install g++ and cmake for the fused native kernels"
    [ -f "$java_home/include/jni.h" ] ||
        do_without "no jni.h in $java_home" "install the JDK's development files for the fused native kernels"
}

# do_without WHAT REMEDY
do_without() {
    if [ "$wanted" = require ]; then
        echo "hadal: $1, but -Dhadal.native=require asks for libhadal; $2" >&2
        exit 1
    fi
    rm -f "$into"/lib*.so # one built earlier may be of other sources
    echo "hadal: $1: building without libhadal; $2"
    exit 0
}

build() {
    local javacpp
    javacpp=$(tr : '\n' <<<"$classpath" | grep '/javacpp-[^/]*\.jar$' | head -n 1)
    local settings=(-DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER="$(command -v "${CXX:-g++}")"
        -DHADAL_TESTS=OFF -DHADAL_JNI_CLASS="$class" -DHADAL_JNI_CLASSES="$classes"
        -DHADAL_JNI_CLASSPATH="$javacpp" -DHADAL_JNI_JAVA_HOME="$java_home")
    # Configuring takes longer than finding that there is nothing to do, so only for other settings.
    if [ "$(cat "$work/settings" 2>/dev/null)" != "${settings[*]}" ]; then
        rm -rf "$work/cmake"
        cmake -S "$native" -B "$work/cmake" "${settings[@]}"
        echo "${settings[*]}" >"$work/settings"
    fi
    cmake --build "$work/cmake" --parallel 2
}

main
