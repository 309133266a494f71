"""cffi's builder of `xenabs.xen._xenstore`: what we use of libxenstore (xenstore.h, Xen 4.17).

Out-of-line ABI mode: the library is opened at run time, so nothing of Xen is needed to build, and a
guest without it gets a sentence instead of a linker's error.
"""

from cffi import FFI

ffibuilder = FFI()
ffibuilder.cdef(
    """
    struct xs_handle;
    typedef uint32_t xs_transaction_t;

    struct xs_handle *xs_open(unsigned long flags);
    void xs_close(struct xs_handle *xsh);
    void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *len);
    char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path,
                        unsigned int *num);
    bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path, const void *data,
                  unsigned int len);
    bool xs_rm(struct xs_handle *h, xs_transaction_t t, const char *path);
    bool xs_watch(struct xs_handle *h, const char *path, const char *token);
    bool xs_unwatch(struct xs_handle *h, const char *path, const char *token);
    int xs_fileno(struct xs_handle *h);
    char **xs_check_watch(struct xs_handle *h);
    xs_transaction_t xs_transaction_start(struct xs_handle *h);
    bool xs_transaction_end(struct xs_handle *h, xs_transaction_t t, bool abort);

    void free(void *ptr);
    """
)
ffibuilder.set_source("xenabs.xen._xenstore", None)
