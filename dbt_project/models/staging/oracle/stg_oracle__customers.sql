{#
  Customer accounts, by their number, by which transactions name them. Who they are is the party, of which a customer may
  have several accounts.
#}
with customers as (
    select
        account.connection,
        account.accountnumber as customer_id,
        parent.accountnumber as parent_customer_id,
        coalesce(party.organizationname, account.accountname, account.accountnumber) as name,
        party.organizationname as legal_name,
        party.taxpayeridentificationnumber as tax_id,
        coalesce({{ web_domain('party.url') }}, {{ mail_domain('party.primaryemail') }}) as domain,
        party.primaryemail as email,
        party.phonenumber as phone,
        party.addressline1 as street,
        party.city,
        party.state as region,
        party.postalcode as postal_code,
        {{ country_code('party.country', 'countries.country_code') }} as country_code,
        nullif(trim(party.sourcesystemreference), '') as external_customer_id,
        false as is_person,
        false as is_intercompany,
        coalesce(account.status, 'A') = 'A' and coalesce(party.partystatus, 'A') = 'A' as is_active,
        party.modified_at
    from {{ ref('base_oracle__customeraccountslov') }} as account
    left join {{ ref('base_oracle__accounts') }} as party
        on account.connection = party.connection and account.partyid = party.record_key
    left join (
        select
            connection,
            partyid,
            min(accountnumber) as accountnumber
        from {{ ref('base_oracle__customeraccountslov') }}
        group by connection, partyid
    ) as parent on party.connection = parent.connection and party.parentpartyid = parent.partyid
    left join {{ ref('iso_countries') }} as countries on lower(party.country) = countries.country_name
)

{{ select_contract('customers', 'customers') }}
