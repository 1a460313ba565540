/* ProcessPrng, the one function of bcryptprimitives.dll that Go's runtime
   uses, over RtlGenRandom, which is exported under its old name. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(BYTE *buffer, SIZE_T length)
{
    return SystemFunction036(buffer, (ULONG)length);
}
