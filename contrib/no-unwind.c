/* What a binary without unwind tables has in place of an unwinder: a backtrace ends at once (_URC_END_OF_STACK), and
   what only a landing pad or the personality routine calls is never reached, because a panic aborts. */
/* Weak: where std is not built here, no-backtrace.rs has it too. */
__attribute__((weak)) int _Unwind_Backtrace(void *step, void *data) {
    (void)step;
    (void)data;
    return 5;
}

unsigned long _Unwind_GetIP(void *frame) {
    (void)frame;
    return 0;
}

#define NEVER(name) void name(void) { __builtin_trap(); }
NEVER(_Unwind_RaiseException)
NEVER(_Unwind_Resume)
NEVER(_Unwind_DeleteException)
NEVER(_Unwind_GetLanguageSpecificData)
NEVER(_Unwind_GetIPInfo)
NEVER(_Unwind_GetRegionStart)
NEVER(_Unwind_GetTextRelBase)
NEVER(_Unwind_GetDataRelBase)
NEVER(_Unwind_FindEnclosingFunction)
NEVER(_Unwind_GetCFA)
NEVER(_Unwind_SetGR)
NEVER(_Unwind_SetIP)
NEVER(_Unwind_VRS_Get)
NEVER(_Unwind_VRS_Set)
