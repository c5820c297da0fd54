package dev.hadal.data;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.GZIPInputStream;

/** Reads files that may be gzipped. */
final class Gzip {
    private Gzip() {}

    /**
     * Opens a file, gzipped or not.
     *
     * @throws MalformedDataException if it is a directory, which not every platform says when it is opened
     */
    static InputStream open(Path file) throws IOException {
        if (Files.isDirectory(file)) {
            throw new MalformedDataException(file.toString(), "it is a directory");
        }
        return Files.newInputStream(file);
    }

    /** Unzips what starts with gzip's magic number, whatever its name. */
    static InputStream plain(InputStream stream) throws IOException {
        BufferedInputStream in = new BufferedInputStream(stream, 1 << 16);
        in.mark(2);
        boolean zipped = in.read() == 0x1f && in.read() == 0x8b;
        in.reset();
        return zipped ? new GZIPInputStream(in, 1 << 16) : in;
    }
}
