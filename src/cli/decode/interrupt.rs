//! An interrupt from the keyboard goes to all programs of a pipeline. Who captures ends by it, and then the input does; what it
//! held is still to be shown, and told of.

use std::sync::Once;
use std::{process, thread};

use tokio::signal::unix::{SignalKind, signal};

/// How a shell tells that a program was interrupted: 128, and the signal's number.
const INTERRUPTED: i32 = 130;

/// From here on the first interrupt doesn't end this program, but the second does.
pub(super) fn leave_to_input() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
        // the program ends without waiting for it
        thread::spawn(move || {
            runtime.block_on(async {
                let Ok(mut interrupts) = signal(SignalKind::interrupt()) else { return };
                interrupts.recv().await;
                eprintln!("msgr2: shows what is still to come; interrupt once more to end");
                interrupts.recv().await;
                process::exit(INTERRUPTED);
            });
        });
    });
}
