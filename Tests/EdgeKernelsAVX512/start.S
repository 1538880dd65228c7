// What stands under the kernels on an emulated PC without an operating system: a boot sector that reads the program that follows it on
// the disk to 1 MiB and enters 64-bit mode, and the few functions that Embedded Swift asks of a C library. `check` says how it is built.

        .equ payload, 0x100000
        .equ buffer, 0x10000            // for 64 sectors at a time
        .equ tables, 0x1000             // six pages of page tables
        .equ serial, 0x3F8

        .section .boot, "ax"
        .code16
        .globl boot
boot:
        cli
        cld
        ljmp $0, $1f
1:      xorw %ax, %ax
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %ss
        movw $0x7C00, %sp
        movb %dl, drive
        inb $0x92, %al                  // addresses above 1 MiB
        orb $2, %al
        outb %al, $0x92

        movl $payload, %ebp
read:
        movw $packet, %si
        movb $0x42, %ah
        movb drive, %dl
        int $0x13
        jc failed
        cli
        // In protected mode for a moment, so that the data segments reach all of memory.
        lgdtl table
        movl %cr0, %eax
        orb $1, %al
        movl %eax, %cr0
        movw $8, %bx
        movw %bx, %ds
        movw %bx, %es
        movl $buffer, %esi
        movl %ebp, %edi
        movl $(64 * 512 / 4), %ecx
        addr32 rep movsl
        andb $0xFE, %al
        movl %eax, %cr0
        xorw %ax, %ax
        movw %ax, %ds
        movw %ax, %es
        addl $(64 * 512), %ebp
        addl $64, sector
        cmpl $edge_data_end, %ebp
        jb read

        // Four GiB, each page of 2 MiB at its own address.
        cli
        movw $tables, %di
        xorl %eax, %eax
        movw $(6 * 1024), %cx
        rep stosl
        movl $(tables + 0x1003), tables
        movw $(tables + 0x1000), %di
        movl $(tables + 0x2003), %eax
        movw $4, %cx
2:      movl %eax, (%di)
        addl $0x1000, %eax
        addw $8, %di
        loop 2b
        movw $(tables + 0x2000), %di
        movl $0x83, %eax
        movw $2048, %cx
3:      movl %eax, (%di)
        addl $0x200000, %eax
        addw $8, %di
        loop 3b
        movl $tables, %eax
        movl %eax, %cr3
        movl %cr4, %eax
        orl $0x40620, %eax              // PAE, OSFXSR, OSXMMEXCPT, OSXSAVE
        movl %eax, %cr4
        movl $0xC0000080, %ecx
        rdmsr
        orl $0x100, %eax                // long mode
        wrmsr
        lgdtl table
        movl %cr0, %eax
        andl $~4, %eax
        orl $0x80000003, %eax           // paging, floating point, protected mode
        movl %eax, %cr0
        ljmpl $16, $start

failed: hlt
        jmp failed

        .balign 8
descriptors:
        .quad 0
        .quad 0x00CF92000000FFFF        // data
        .quad 0x00AF9A000000FFFF        // code of 64 bits
table:  .word . - descriptors - 1
        .long descriptors
drive:  .byte 0
        .balign 4
packet: .byte 16, 0
        .word 64, 0, buffer >> 4
sector: .quad 1
        .org 510
        .word 0xAA55

        .section .start, "ax"
        .code64
        .globl start
start:
        movw $8, %ax
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %ss
        movl $edge_data_end, %edi
        movl $edge_end, %ecx
        subl %edi, %ecx
        xorl %eax, %eax
        rep stosb
        movl $stack_top, %esp
        movl $7, %edi                   // no wider registers than 256 bits, for now
        call edge_save_states
        movw $(serial + 3), %dx         // 115200 baud, 8 bits
        movb $0x80, %al
        outb %al, %dx
        movw $serial, %dx
        movb $1, %al
        outb %al, %dx
        movw $(serial + 1), %dx
        movb $0, %al
        outb %al, %dx
        movw $(serial + 3), %dx
        movb $3, %al
        outb %al, %dx
        xorl %edi, %edi
        xorl %esi, %esi
        call main
        movw $(serial + 5), %dx         // the last byte on its way
2:      inb %dx, %al
        testb $0x40, %al
        jz 2b
        movw $0x8900, %dx               // how Bochs is asked to end
        movl $shutdown, %esi
        movl $8, %ecx
        rep outsb
1:      hlt
        jmp 1b
shutdown:
        .ascii "Shutdown"

        .text
// void edge_save_states(uint64_t): the parts of the processor's state that are switched on.
        .globl edge_save_states
edge_save_states:
        movl %edi, %eax
        xorl %edx, %edx
        xorl %ecx, %ecx
        xsetbv
        ret

        .globl putchar
putchar:
        movw $(serial + 5), %dx
1:      inb %dx, %al
        testb $0x20, %al
        jz 1b
        movw $serial, %dx
        movl %edi, %eax
        outb %al, %dx
        ret

// int posix_memalign(void **, size_t alignment, size_t): memory is never given back.
        .globl posix_memalign
posix_memalign:
        movq heap(%rip), %rax
        leaq -1(%rax, %rsi), %rax
        negq %rsi
        andq %rsi, %rax
        movq %rax, (%rdi)
        addq %rdx, %rax
        movq %rax, heap(%rip)
        xorl %eax, %eax
        ret

        .globl free
free:   ret

        .globl memcpy
memcpy: movq %rdi, %rax
        movq %rdx, %rcx
        rep movsb
        ret

        .globl memmove
memmove:
        movq %rdi, %rax
        movq %rdx, %rcx
        movq %rdi, %r8
        subq %rsi, %r8
        cmpq %rdx, %r8
        jb 1f
        rep movsb
        ret
1:      leaq -1(%rdi, %rdx), %rdi       // from the end where the target lies in the source
        leaq -1(%rsi, %rdx), %rsi
        std
        rep movsb
        cld
        ret

        .globl memset
memset: movq %rdi, %r8
        movl %esi, %eax
        movq %rdx, %rcx
        rep stosb
        movq %r8, %rax
        ret

        .data
        .balign 8
heap:   .quad edge_end

        .bss
        .balign 64
        .skip 1 << 20
stack_top:
        .section .note.GNU-stack, "", @progbits
