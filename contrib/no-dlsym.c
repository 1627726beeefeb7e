/* The standard library asks at run time for functions that an old libc may lack. In a static binary the answer is always
   no, so no loader is linked. On MIPS this is more than size: musl's own dlsym is assembly for code at any address, which
   a call from code at a fixed address crashes. */
void *dlsym(void *library, const char *name) {
    (void)library;
    (void)name;
    return 0;
}

/* Its name where the time has been made wider. */
void *__dlsym_time64(void *library, const char *name) {
    return dlsym(library, name);
}
