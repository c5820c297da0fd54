/** The native CPU backend: oneDNN through JavaCPP. */
module dev.hadal.onednn {
    requires dev.hadal.core;
    requires org.bytedeco.javacpp;
    requires org.bytedeco.dnnl;
    requires org.slf4j;
    requires static org.jspecify;

    provides dev.hadal.backend.Backend with
            dev.hadal.onednn.OneDnnBackend;
}
