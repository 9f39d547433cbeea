/* What stands between a reset of the board and `main`: a stack, the floating-point unit, and a way to say
 * something. QEMU has loaded code and data to where they are used, and cleared the rest. */

extern char stack_top[];
int main(void);
void reset(void);

static int semihosting(int operation, const void *argument) {
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void say(const char *text) {
    semihosting(4, text); /* SYS_WRITE0 */
}

/* Ends the emulation: SYS_EXIT, by itself. */
static void end(void) {
    semihosting(0x18, (const void *)0x20026);
    for (;;) {}
}

/* A fault: with the status 1. */
static void fault(void) {
    semihosting(0x18, (const void *)0x20023);
    for (;;) {}
}

void reset(void) {
    *(volatile unsigned *)0xe000ed88 |= 0xfu << 20; /* CPACR: full access to the FPU */
    __asm__ volatile("dsb\n isb");
    main();
    end();
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    stack_top, (void *)reset, (void *)fault, (void *)fault, (void *)fault, (void *)fault, (void *)fault,
};
