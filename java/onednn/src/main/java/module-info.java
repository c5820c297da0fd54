/** The native CPU backend: oneDNN through JavaCPP. */
module dev.hadal.onednn {
    requires transitive dev.hadal.core;
    requires org.bytedeco.javacpp;
    requires org.bytedeco.dnnl;
    requires org.slf4j;
    requires static org.jspecify;

    exports dev.hadal.onednn;

    provides dev.hadal.backend.Backend with
            dev.hadal.onednn.OneDnnBackend;
}
