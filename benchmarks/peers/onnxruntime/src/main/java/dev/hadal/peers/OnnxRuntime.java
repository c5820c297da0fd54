package dev.hadal.peers;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** ONNX Runtime, which runs models and trains none. */
public final class OnnxRuntime {
    private OnnxRuntime() {}

    public static void main(String[] args) throws Exception {
        if (args[0].equals("write")) {
            Files.write(Path.of(args[1]), OnnxFile.mlp(Work.MLP));
            return;
        }
        OrtEnvironment environment = OrtEnvironment.getEnvironment();
        Stopwatch stopwatch = new Stopwatch("ONNX Runtime " + environment.getVersion(), args[0]);
        OrtSession.SessionOptions options = new OrtSession.SessionOptions();
        options.setIntraOpNumThreads(1);
        options.setInterOpNumThreads(1);
        options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.ALL_OPT);
        switch (args[0]) {
            case "start" -> {
                try (OrtSession session = environment.createSession(args[1], options);
                        OnnxTensor x = random(environment, 1, Work.MLP[0])) {
                    call(session, Map.of("x", x));
                    stopwatch.started();
                }
            }
            case "add", "matmul16" -> {
                boolean add = args[0].equals("add");
                byte[] model = add ? OnnxFile.binary("Add", 2) : OnnxFile.binary("MatMul", 16, 16);
                long[] shape = add ? new long[] {2} : new long[] {16, 16};
                try (OrtSession session = environment.createSession(model, options);
                        OnnxTensor a = random(environment, shape);
                        OnnxTensor b = random(environment, shape)) {
                    stopwatch.time(() -> call(session, Map.of("a", a, "b", b)));
                }
            }
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    private static OnnxTensor random(OrtEnvironment environment, long... shape) throws OrtException {
        int n = 1;
        for (long dim : shape) {
            n *= (int) dim;
        }
        return OnnxTensor.createTensor(environment, FloatBuffer.wrap(Work.random(n)), shape);
    }

    /** The result as an array, as one would use it. */
    private static Object call(OrtSession session, Map<String, OnnxTensor> inputs) throws OrtException {
        try (OrtSession.Result result = session.run(inputs)) {
            return result.get(0).getValue();
        }
    }
}
