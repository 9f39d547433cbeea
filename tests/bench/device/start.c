/* Starts `main` after a reset of the board: sets the stack, enables the FPU, and prints by semihosting. QEMU has
 * already loaded code and data to their addresses and cleared the other memory. */

extern char stack_top[];
int main(void);
void reset(void);

static int semihosting(int operation, const void *argument) {
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void print(const char *text) {
    semihosting(4, text); /* SYS_WRITE0 */
}

/* Ends the emulation with status 0. */
static void end(void) {
    semihosting(0x18, (const void *)0x20026); /* SYS_EXIT, ADP_Stopped_ApplicationExit */
    for (;;) {}
}

/* Handles a fault: ends the emulation with status 1. */
static void fault(void) {
    semihosting(0x18, (const void *)0x20023); /* SYS_EXIT, ADP_Stopped_RunTimeErrorUnknown */
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
