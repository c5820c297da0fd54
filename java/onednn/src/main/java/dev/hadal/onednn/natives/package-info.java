/** libhadal, the native library of our own beside oneDNN: its Java face and how it is loaded. */
@NullMarked
package dev.hadal.onednn.natives;

import org.jspecify.annotations.NullMarked;
