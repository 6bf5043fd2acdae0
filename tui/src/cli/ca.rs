//! `ca`: the farm's own authority, and what lets nodes join with it.

use std::io::Write;
use std::path::Path;

use color_eyre::eyre::{Context, Result, bail, eyre};
use farmhand_tls::{Anchor, Authority, JoinToken, Tickets};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::args::CaVerb;
use super::print;
use crate::place::Place;

pub(crate) fn ca(place: &Place, verb: CaVerb) -> Result<()> {
    match verb {
        CaVerb::Init => init(place),
        CaVerb::Token { uses, hours } => token(place, uses, hours),
        CaVerb::Show(how) => show(place, how.json),
        CaVerb::Issue { name, to } => issue(place, &name, &to),
        CaVerb::Withdraw => withdraw(place),
    }
}

fn init(place: &Place) -> Result<()> {
    let made = Authority::make(&Authority::folder_in(place.data()), Timestamp::now())?;
    print::text(&format!(
        "made a CA for this farm, certificate in {}\nfingerprint {}\nexpires     {}\n\
         From its next start the farm speaks https. Then let nodes in: farmhand ca token\n",
        Authority::certificate_in(place.data()).display(),
        made.anchor().pin(),
        made.anchor().expires(),
    ))?;
    Ok(())
}

fn token(place: &Place, uses: u32, hours: u32) -> Result<()> {
    let anchor = anchor(place)?;
    let now = Timestamp::from_second(Timestamp::now().as_second())?;
    let expires = now + SignedDuration::from_hours(hours.into());
    let tickets = tickets(place);
    let secret = tickets
        .make(uses, expires)
        .wrap_err("cannot keep the hash of a join token")?;
    let token = JoinToken {
        pin: anchor.pin(),
        secret,
    };
    print::text(&format!("{token}\n"))?;
    // Beside the token, which may be piped to a file.
    let _closed = writeln!(
        std::io::stderr(),
        "for {uses} {}, until {expires}: farmhand-agent --join https://THIS_MACHINE:4000 --join-token-file FILE",
        if uses == 1 { "node" } else { "nodes" }
    );
    Ok(())
}

#[derive(Debug, Serialize)]
struct Shown {
    certificate: String,
    fingerprint: String,
    expires: Timestamp,
    join_tokens: Vec<ShownToken>,
}

#[derive(Debug, Serialize)]
struct ShownToken {
    expires: Timestamp,
    uses_left: u32,
    uses: u32,
}

fn show(place: &Place, as_json: bool) -> Result<()> {
    let anchor = anchor(place)?;
    let open = tickets(place).open(Timestamp::now());
    let shown = Shown {
        certificate: Authority::certificate_in(place.data()).display().to_string(),
        fingerprint: anchor.pin().to_string(),
        expires: anchor.expires(),
        join_tokens: open
            .iter()
            .map(|ticket| ShownToken {
                expires: ticket.expires,
                uses_left: ticket.left(),
                uses: ticket.uses,
            })
            .collect(),
    };
    if as_json {
        return Ok(print::json(&shown)?);
    }
    print::text(&format!(
        "certificate {}\nfingerprint {}\nexpires     {}\n",
        shown.certificate, shown.fingerprint, shown.expires
    ))?;
    for token in &shown.join_tokens {
        print::text(&format!(
            "join token  {} of {} uses left, until {}\n",
            token.uses_left, token.uses, token.expires
        ))?;
    }
    Ok(())
}

fn issue(place: &Place, name: &str, to: &Path) -> Result<()> {
    let authority = Authority::open(&Authority::folder_in(place.data()))?.ok_or_else(|| no_ca(place))?;
    let (certificate, key) = (to.join("cert.pem"), to.join("key.pem"));
    if let Some(there) = [&certificate, &key].into_iter().find(|file| file.exists()) {
        bail!("{} is there already", there.display());
    }
    let (private, request) = farmhand_tls::new_request(None)?;
    let issued = authority.issue_node(name, &request, Timestamp::now())?;
    for (file, text) in [(&key, &private), (&certificate, &issued.chain)] {
        farmhand_tls::keep_secret(file, text.as_bytes())
            .wrap_err_with(|| format!("cannot write {}", file.display()))?;
    }
    print::text(&format!(
        "{}\n{}\nThe certificate expires {}; nothing renews it.\n",
        certificate.display(),
        key.display(),
        issued.expires
    ))?;
    Ok(())
}

fn withdraw(place: &Place) -> Result<()> {
    anchor(place)?;
    let withdrawn = tickets(place)
        .withdraw_all()
        .wrap_err("cannot remove a join token")?;
    print::text(&format!("withdrew {withdrawn} join tokens\n"))?;
    Ok(())
}

fn anchor(place: &Place) -> Result<Anchor> {
    place.anchor()?.ok_or_else(|| no_ca(place))
}

fn no_ca(place: &Place) -> color_eyre::Report {
    eyre!(
        "there is no CA in {}: make one with `farmhand ca init`, or name the farm's data folder with --data",
        place.data().display()
    )
}

fn tickets(place: &Place) -> Tickets {
    Tickets::of(&Authority::folder_in(place.data()))
}
