//! Boots the appliance and a stock Debian one after the other in the same way, several times, and prints how long each
//! took. Run it on a quiet computer: under emulation a busy one doubles every figure.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the figures are this program's output")]

use anyhow::{Context, Result};
use clap::Parser;
use qemu_tests::clock;
use qemu_tests::machine::{BOOT_LIMIT, Boot, Foreign, Image, Machine};
use std::path::PathBuf;
use std::time::Duration;

/// Compares the boot of the appliance with that of a stock Debian.
#[derive(Parser)]
struct Arguments {
    /// The folder that `callward-image build` wrote
    #[arg(long)]
    image: PathBuf,
    /// The folder that `callward-image stock` wrote
    #[arg(long)]
    stock: PathBuf,
    /// How often each is booted
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

/// Wall time and the processor time that QEMU took for it.
#[derive(Clone, Copy)]
struct Taken {
    wall: Duration,
    processor: Duration,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let image = Image::open(&arguments.image)?;
    let stock = Foreign::open(&arguments.stock)?;
    let ways = [
        ("appliance by UEFI, first boot, to HTTPS", Boot::Firmware(image.clone())),
        ("appliance from the kernel, first boot, to HTTPS", Boot::Kernel(image)),
        ("stock Debian from the kernel, to the login prompt", Boot::Foreign(stock)),
    ];
    for (name, boot) in ways {
        let mut taken = Vec::new();
        for _ in 0..arguments.rounds {
            taken.push(measure(&boot)?);
        }
        taken.sort_by_key(|taken| taken.wall);
        let median = taken.get(taken.len() / 2).context("at least one round")?;
        let walls: Vec<String> = taken.iter().map(|taken| format!("{:.1}", taken.wall.as_secs_f64())).collect();
        println!(
            "{name}: {:.1} s, {:.1} CPU s (all rounds: {} s)",
            median.wall.as_secs_f64(),
            median.processor.as_secs_f64(),
            walls.join(", ")
        );
    }
    Ok(())
}

fn measure(boot: &Boot) -> Result<Taken> {
    let mut machine = Machine::builder(boot.clone()).memory_mib(2048).start()?;
    let wall = match boot {
        Boot::Kernel(_) | Boot::Firmware(_) => machine.wait_for_psa()?,
        Boot::Foreign(_) => {
            // The prompt is no whole line: the machine's name before it is.
            machine.serial.wait_for_prompt("login:", BOOT_LIMIT)?;
            clock::now().duration_since(machine.powered_on)
        }
    };
    Ok(Taken { wall, processor: processor_time(machine.process_id())? })
}

/// User and system time of a process (proc(5), /proc/PID/stat, fields 14 and 15, in hundredths of a second).
fn processor_time(id: u32) -> Result<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The second field is a name in parentheses and may hold spaces.
    let rest = text.rsplit(')').next().context("a process")?;
    let field = |at: usize| rest.split_whitespace().nth(at).and_then(|field| field.parse::<u64>().ok());
    let ticks = field(11).zip(field(12)).map(|(user, system)| user + system).context("processor times")?;
    Ok(Duration::from_millis(ticks * 10))
}
