package dev.hadal.model;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;

/**
 * Tells a damaged file: CRC-32C and CRC-32 of the whole, with zeros in the checksum's own place. Together they find every
 * burst of errors of up to 64 bits, and miss other damage once in 2⁶⁴. They are no guard against forgery, nor is any
 * checksum that lies in the file itself; SHA-256, which files had before, is a tenth of a second slower in a JVM that has
 * just started.
 */
interface Checksum {
    /** Its key in a file's metadata. */
    String KEY = "hadal.crc";

    /** The key of the SHA-256. */
    String FORMER_KEY = "hadal.sha256";

    /** What lies in the checksum's place while it is computed. */
    String NONE = "0".repeat(16);

    /** Adds what remains of the buffer. */
    void update(ByteBuffer bytes);

    /** The checksum of all that was added. */
    String hex();

    /** The length of {@link #hex}. */
    int length();

    /** The one of that key. */
    static Checksum of(String key) {
        return key.equals(KEY) ? new Crc() : new Sha256();
    }

    /** CRC-32C, then CRC-32. */
    final class Crc implements Checksum {
        private final CRC32C first = new CRC32C();
        private final CRC32 second = new CRC32();

        @Override
        public void update(ByteBuffer bytes) {
            first.update(bytes.duplicate());
            second.update(bytes);
        }

        @Override
        public String hex() {
            return HexFormat.of().toHexDigits(first.getValue() << 32 | second.getValue());
        }

        @Override
        public int length() {
            return NONE.length();
        }
    }

    /** Read, but no longer written. */
    final class Sha256 implements Checksum {
        private final MessageDigest digest;

        private Sha256() {
            try {
                digest = MessageDigest.getInstance("SHA-256");
            } catch (NoSuchAlgorithmException e) {
                throw new IllegalStateException("every Java platform has SHA-256", e);
            }
        }

        @Override
        public void update(ByteBuffer bytes) {
            digest.update(bytes);
        }

        @Override
        public String hex() {
            return HexFormat.of().formatHex(digest.digest());
        }

        @Override
        public int length() {
            return 64;
        }
    }
}
