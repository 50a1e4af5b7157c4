//! Any mail with made-up data, without AWS: `infra/tools/preview-mail`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::Parser;
use email::samples::{Sample, samples};
use email::{Colour, Languages, Mail, Shop};
use waybill_domain::document::Seller;
use waybill_domain::language::Language;
use waybill_domain::text::ImageUrl;

/// Shows any mail with made-up data. Without a name it tells which mails there are.
#[derive(Parser)]
#[command(
    name = "infra/tools/preview-mail",
    after_help = "\
Examples:
  infra/tools/preview-mail order-shipped                            its text
  infra/tools/preview-mail order-shipped --language de --html       its HTML in German
  infra/tools/preview-mail --into /tmp/mails --colour '#a03020'     all of them as files, in every language"
)]
struct Arguments {
    mail: Option<String>,
    #[arg(long, default_value = "en")]
    language: Language,
    /// The HTML instead of subject and text.
    #[arg(long)]
    html: bool,
    /// Write all mails into this folder: text and HTML, in every language.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["mail", "html", "language"])]
    into: Option<PathBuf>,
    #[arg(long, default_value = "Waybill Shop")]
    name: String,
    #[arg(long, default_value = "#1f6feb")]
    colour: Colour,
    #[arg(long, value_name = "URL")]
    logo: Option<ImageUrl>,
    #[arg(long, value_name = "LINES", default_value = "Waybill Shop, Returns; 1 Example Street; 12345 Example City")]
    return_address: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let mut shop = Shop {
        name: arguments.name,
        url: "https://shop.example.com".into(),
        colour: arguments.colour,
        logo: arguments.logo,
        return_address: Seller::address_lines(&arguments.return_address)?,
        languages: Languages::read(&arguments.language)?,
    };
    let samples = samples()?;
    if let Some(folder) = arguments.into {
        return write_all(&samples, &mut shop, &folder);
    }
    let Some(name) = arguments.mail else {
        let languages: Vec<_> = shop.languages.all().map(ToString::to_string).collect();
        println!("In {}:", languages.join(", "));
        samples.iter().for_each(|sample| println!("  {}", sample.name));
        return Ok(());
    };
    let sample = samples.iter().find(|sample| sample.name == name);
    let mail = written(sample.ok_or("there is no mail of this name")?, &shop, &arguments.language)?;
    if arguments.html {
        print!("{}", mail.html);
    } else {
        print!("Subject: {}\n\n{}", mail.subject, mail.text);
    }
    Ok(())
}

fn write_all(samples: &[Sample], shop: &mut Shop, folder: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    let languages: Vec<_> = shop.languages.all().cloned().collect();
    for language in &languages {
        // Staff are mailed in the shop's own.
        shop.languages = Languages::read(language)?;
        for sample in samples {
            let mail = written(sample, shop, language)?;
            let write = |end: &str, content: &str| -> io::Result<()> {
                fs::write(folder.join(format!("{}.{language}.{end}", sample.name)), content)
            };
            write("txt", &format!("Subject: {}\n\n{}", mail.subject, mail.text))?;
            write("html", &mail.html)?;
        }
    }
    Ok(())
}

fn written(sample: &Sample, shop: &Shop, language: &Language) -> Result<Mail, Box<dyn Error>> {
    Ok(sample.compose(shop, language)?.ok_or("nobody is mailed about it")?)
}
