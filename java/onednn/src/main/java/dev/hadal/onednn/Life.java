package dev.hadal.onednn;

/** Something native that lives until it is closed. */
interface Life {

    /**
     * To be called before what lives is handed to native code.
     *
     * @throws IllegalStateException if it is closed
     */
    void checkOpen();
}
