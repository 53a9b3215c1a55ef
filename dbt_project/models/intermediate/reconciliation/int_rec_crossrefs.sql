-- What the company's own table says that a reference means (pass 3), as references are compared. Versioned, so that a build
-- knows what was imported or taken out since the one before.
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='crossref_key', scope='all', full_refresh=false,
    lookups=['reference_token']
) }}

with entries as (
    select distinct
        hop,
        business_unit,
        {{ reference_token('reference') }} as reference_token,
        {{ reference_token('means') }} as means_token,
        valid_from,
        valid_to
    from {{ source('decisions', 'document_crossref_now') }}
),

crossrefs as (
    select
        {{ hash_key(['hop', 'business_unit', 'reference_token', 'means_token', 'valid_from', 'valid_to']) }} as crossref_key,
        hop,
        business_unit,
        reference_token,
        means_token,
        valid_from,
        valid_to
    from entries
    where reference_token is not null and means_token is not null
)

{{ versioned('crossrefs') }}
