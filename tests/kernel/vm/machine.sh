# The virtual machine, for tests/kernel/run and tests/kernel/vm/build: a saved
# state can only be restored into the very same machine.
# shellcheck shell=bash disable=SC2034,SC2154 # variables from and for those two

# Only emulation: a hardware accelerator would need a saved state of its own,
# and where there is a /dev/kvm without IPVS it is often one that hangs.
# One processor, as two are slower under emulation. The timer is the HPET
# because the emulated TSC runs several times too fast after a restore.
# Features that the emulator is slow at are left out: libraries that find wide
# registers use them, and programs take a sixth more time.
# norandmaps: the emulator keeps the code that it translated by its address. Programs that
# start at the same addresses each time are translated once, and the kernel ring takes two
# fifths of the time.
processor=max,la57=off,-avx,-avx2,-erms,-fsrm,-smap,-smep,-umip,-xsave,-xsaveopt,-pku
memory=${FWMARKCTL_VM_MEMORY:-2G}
kernel_arguments='console=ttyS0 quiet loglevel=4 panic=-1 oops=panic
    clocksource=hpet tsc=unstable mitigations=off audit=0 apparmor=0 norandmaps'

# machine SECONDS WORK [ARGUMENT ...]: runs the machine whose pipes are in WORK
# to its end, or for SECONDS and then exits 124. It replaces the shell, and dies
# with the process that started it.
# $writable is the folder that is shared for writing; qemu takes a comma in it doubled.
# A vmgenid that changes makes the restored kernel draw new random numbers.
machine() {
    local limit=$1 work=$2 port number=0
    local mortal=(setpriv --pdeathsig KILL)
    shift 2
    local ports=()
    for port in door out err status; do
        number=$((number + 1))
        ports+=(-device "virtserialport,bus=serial.0,nr=$number,chardev=$port,name=$port")
    done
    exec "${mortal[@]}" timeout --foreground -k 5 "$limit" "${mortal[@]}" \
        qemu-system-x86_64 -no-user-config -nodefaults -display none -no-reboot \
        -machine q35,accel=tcg -cpu "$processor" -smp 1 -m "$memory" \
        -net none -rtc base=utc -device vmgenid,guid=auto \
        -serial "file:$work/console" \
        -device virtio-serial-pci,id=serial \
        -fsdev local,id=root,path=/,security_model=none,readonly=on,multidevs=remap \
        -device virtio-9p-pci,fsdev=root,mount_tag=root \
        -fsdev "local,id=writable,path=${writable//,/,,},security_model=none,multidevs=remap" \
        -device virtio-9p-pci,fsdev=writable,mount_tag=writable \
        -chardev "pipe,id=door,path=$work/door" \
        -chardev "file,id=out,path=$work/out" \
        -chardev "file,id=err,path=$work/err" \
        -chardev "file,id=status,path=$work/status" \
        "${ports[@]}" "$@"
}
