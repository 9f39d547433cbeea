//! Trains one model per position encoding and compares them on texts longer than those of training.
//!
//! ```sh
//! cargo run --release --example compare_encodings
//! ```

use std::error::Error;
use std::sync::atomic::AtomicBool;

use expe::compare::{Event, Plan, run};
use expe::config::preset;
use expe::data::Corpus;
use expe::eval::Lengths;
use expe::report::{Figure, Page, text_table, write_report};
use expe::train::new_dataset;

fn main() -> Result<(), Box<dyn Error>> {
    let corpus = Corpus::open(&["stories:1:60k".parse()?])?;
    let mut config = preset("quick")?.with_steps(40);
    let data = new_dataset(&mut config, &corpus)?;

    // The encodings, with their settings: what follows `@` applies to evaluation only, so that the first
    // two share one trained model.
    let encodings = ["expe@query_cap=last", "expe", "rope", "alibi"];

    // Measure at 1, 2 and 4 times the training length, on at most 2 048 tokens of held-out text.
    let lengths = Lengths::new(config.model.context, &[1, 2, 4], 2_048)?;
    let folder = tempfile::tempdir()?;
    let plan = Plan::new(config, &encodings, lengths, folder.path())?;

    let stop = AtomicBool::new(false);
    let rows = run(&plan, &data, &stop, &|event| {
        if let Event::Done { cell, .. } = event {
            println!("{cell} is trained and measured");
        }
    })?;
    println!("\n{}", text_table(&rows, Figure::All));

    // The same as a plot, a table and a page.
    let page = Page { title: "Perplexity against length", rows: &rows, run: &[], samples: &[] };
    let files = write_report(folder.path(), &page)?;
    println!("page: {}", files.html.display());
    Ok(())
}

#[test]
fn runs() -> Result<(), Box<dyn Error>> {
    main()
}
