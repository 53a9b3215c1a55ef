{# Partners with a customer number; the address that is valid longest, and its mail address. #}
with addresses as (
    select
        address.*,
        row_number() over (
            partition by address.connection, address.partner_id
            order by address.valid_until desc, address.valid_from desc, address.id
        ) as choice
    from {{ ref('base_sap__address') }} as address
),

emails as (
    select
        connection,
        address_id,
        email,
        row_number() over (partition by connection, address_id order by is_default desc, line_id, record_key) as choice
    from {{ ref('base_sap__email') }}
),

customers as (
    select
        partner.connection,
        partner.customer_id,
        cast(null as {{ dbt.type_string() }}) as parent_customer_id,
        coalesce(partner.name, partner.full_name, customer.name, partner.customer_id) as name,
        partner.legal_name,
        coalesce(customer.vat_registration, customer.tax_number) as tax_id,
        {{ mail_domain('emails.email') }} as domain,
        emails.email,
        cast(null as {{ dbt.type_string() }}) as phone,
        trim(coalesce(address.street, '') || ' ' || coalesce(address.house_number, '')) as street,
        address.city,
        address.region,
        address.postal_code,
        {{ country_code('address.country', 'countries.country_code') }} as country_code,
        partner.external_id as external_customer_id,
        coalesce(partner.category_code = '1', false) as is_person,
        partner.partner_company is not null as is_intercompany,
        not (  -- noqa: LT01, LT06
            partner.is_blocked or partner.is_archived or coalesce(customer.is_blocked, false)
            or coalesce(customer.is_deleted, false)
        ) as is_active,
        cast(partner.changed_date as timestamp with time zone) as modified_at
    from {{ ref('base_sap__partner') }} as partner
    left join {{ ref('base_sap__customer') }} as customer
        on partner.connection = customer.connection and partner.customer_id = customer.id
    left join addresses as address
        on partner.connection = address.connection and partner.id = address.partner_id and address.choice = 1
    left join emails
        on address.connection = emails.connection and address.id = emails.address_id and emails.choice = 1
    left join {{ ref('iso_countries') }} as countries on lower(address.country) = countries.country_name
    where partner.customer_id is not null
)

{{ select_contract('customers', 'customers') }}
