package dev.hadal.train;

import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * A file of events as TensorBoard reads them: TFRecord framing (tensorflow/core/lib/io/record_writer.h) around protocol
 * buffers (tensorflow/core/util/event.proto, framework/summary.proto), of which only these fields are used:
 *
 * <pre>
 *   Event   { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; }
 *   Summary { repeated Value value = 1; }      Value { string tag = 1; float simple_value = 2; }
 * </pre>
 */
final class EventFile implements Closeable {
    private static final String VERSION = "brain.Event:2";
    /** Wire types of protocol buffers: the low three bits of a field's key. */
    private static final int VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5;

    private final OutputStream out;

    /**
     * Begins a new file.
     *
     * @param seconds the time, since 1970
     * @throws java.nio.file.FileAlreadyExistsException if there is such a file
     */
    EventFile(Path file, double seconds) throws IOException {
        out = new BufferedOutputStream(Files.newOutputStream(file, StandardOpenOption.CREATE_NEW));
        Message event = new Message();
        event.fixed64(1, Double.doubleToLongBits(seconds));
        event.bytes(3, VERSION.getBytes(StandardCharsets.UTF_8));
        record(event);
    }

    /** Appends the values of one step, by their tags. */
    void scalars(double seconds, long step, Map<String, Double> values) throws IOException {
        Message summary = new Message();
        values.forEach((tag, value) -> {
            Message scalar = new Message();
            scalar.bytes(1, tag.getBytes(StandardCharsets.UTF_8));
            scalar.fixed32(2, Float.floatToIntBits(value.floatValue()));
            summary.bytes(1, scalar.toByteArray());
        });
        Message event = new Message();
        event.fixed64(1, Double.doubleToLongBits(seconds));
        event.varint(2, step);
        event.bytes(5, summary.toByteArray());
        record(event);
    }

    /** The length and its checksum, the message and its checksum; all numbers little-endian. */
    private void record(Message message) throws IOException {
        byte[] data = message.toByteArray();
        byte[] length = little(8).putLong(data.length).array();
        out.write(length);
        out.write(little(4).putInt(maskedChecksum(length)).array());
        out.write(data);
        out.write(little(4).putInt(maskedChecksum(data)).array());
    }

    /** CRC-32C, turned and shifted so that a checksum of data that hold checksums means something. */
    private static int maskedChecksum(byte[] data) {
        CRC32C checksum = new CRC32C();
        checksum.update(data);
        return Integer.rotateRight((int) checksum.getValue(), 15) + 0xa282ead8;
    }

    private static ByteBuffer little(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    void flush() throws IOException {
        out.flush();
    }

    @Override
    public void close() throws IOException {
        out.close();
    }

    /** A protocol buffer that is being written. */
    private static final class Message {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        void fixed64(int field, long bits) {
            key(field, FIXED64);
            bytes.writeBytes(little(8).putLong(bits).array());
        }

        void fixed32(int field, int bits) {
            key(field, FIXED32);
            bytes.writeBytes(little(4).putInt(bits).array());
        }

        void varint(int field, long value) {
            key(field, VARINT);
            varint(value);
        }

        void bytes(int field, byte[] value) {
            key(field, BYTES);
            varint(value.length);
            bytes.writeBytes(value);
        }

        private void key(int field, int wireType) {
            varint((long) field << 3 | wireType);
        }

        /** Seven bits a byte, the lowest first; the highest bit says that more follow. */
        private void varint(long value) {
            long left = value;
            while ((left & ~0x7fL) != 0) {
                bytes.write((int) ((left & 0x7f) | 0x80));
                left >>>= 7;
            }
            bytes.write((int) left);
        }

        byte[] toByteArray() {
            return bytes.toByteArray();
        }
    }
}
